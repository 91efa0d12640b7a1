from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from segue.corpus import flags

NAMES = "track_id string, content_hash string, artist string, title string, duration_s double, partition_date date"
SCHEMA = f"{NAMES}, changes array<string>, flags array<string>"


@pytest.fixture
def flagged(spark):
    """Apply a rule to rows of (id, hash, artist, title, duration, day, changes); return the flags by id."""

    def run(rule, rows):
        filled = [(*row[:5], date(2026, 1, row[5]), row[6] if len(row) > 6 else [], []) for row in rows]
        return {row["track_id"]: row["flags"] for row in rule(spark.createDataFrame(filled, SCHEMA)).collect()}

    return run


def test_the_same_bytes_are_flagged_but_for_the_earliest(flagged):
    rows = [("a", "h1", "x", "t", 9.0, 2), ("b", "h1", "y", "u", 9.0, 1), ("c", "h2", "x", "t", 9.0, 1)]
    found = flagged(flags.flag_duplicate_content, rows)
    assert found == {"a": ["duplicate_content:b"], "b": [], "c": []}


def test_the_same_artist_title_and_duration_are_flagged_in_any_case(flagged):
    rows = [
        ("a", "h1", "Bach", "Air", 30.0, 1),
        ("b", "h2", "BACH", "air", 31.5, 1),
        ("c", "h3", "Bach", "Air", 95.0, 1),
        ("d", "h4", "Anon", "Air", 30.0, 1),
        ("e", "h5", "Bach", "Air", 96.5, 1),  # a copy of c, though not of the first of its name
    ]
    expected = {"a": [], "b": ["duplicate_name:a"], "c": [], "d": [], "e": ["duplicate_name:c"]}
    assert flagged(flags.flag_duplicate_name, rows) == expected


def test_of_tracks_of_one_name_and_duration_the_earliest_is_not_flagged_whatever_its_length(flagged):
    rows = [(name, name, "x", "t", length, day) for name, length, day in [("a", 33.0, 2), ("b", 31.5, 1)]]
    assert flagged(flags.flag_duplicate_name, [*rows, ("c", "c", "x", "t", 30.0, 3)]) == {
        "a": ["duplicate_name:b"],
        "b": [],
        "c": ["duplicate_name:b"],
    }


def test_without_artist_or_real_title_nothing_is_a_duplicate_by_name(flagged):
    rows = [("a", "1", None, "Air", 30.0, 1), ("b", "2", None, "Air", 30.0, 1)]
    rows += [(name, name, "Anon", "track01", 30.0, 1, ["title_from_file_name"]) for name in "cd"]
    assert flagged(flags.flag_duplicate_name, rows) == {"a": [], "b": [], "c": [], "d": []}


def test_identical_files_are_not_flagged_twice(flagged):
    rows = [("a", "h", "x", "t", 9.0, 1), ("b", "h", "x", "t", 9.0, 1)]
    found = flagged(lambda rows: flags.flag_duplicate_name(flags.flag_duplicate_content(rows)), rows)
    assert found["b"] == ["duplicate_content:a"]


def described(spark, values):
    names = list(flags.DESCRIPTORS)
    rows = [(str(i), *map(float, row), []) for i, row in enumerate(values)]
    return spark.createDataFrame(
        rows, "track_id string, " + ", ".join(f"{name} double" for name in names) + ", flags array<string>"
    )


def test_a_track_far_from_the_rest_is_flagged_with_the_descriptor(spark):
    values = np.random.default_rng(1).normal(size=(100, len(flags.DESCRIPTORS)))
    values[7, 1] = 40.0
    found = {row["track_id"]: row["flags"] for row in flags.flag_outliers(described(spark, values)).collect()}
    assert {track: reasons for track, reasons in found.items() if reasons} == {"7": ["outlier:zcr"]}


def test_descriptors_that_do_not_vary_flag_nothing(spark):
    values = np.zeros((40, len(flags.DESCRIPTORS)))
    values[0] = 1.0
    assert flags.flag_outliers(described(spark, values)).where("size(flags) > 0").count() == 0


def test_among_few_tracks_nothing_is_unusual(spark):
    values = np.random.default_rng(1).normal(size=(flags.MIN_TRACKS - 1, len(flags.DESCRIPTORS)))
    values[0] = 1e6
    assert flags.flag_outliers(described(spark, values)).where("size(flags) > 0").count() == 0


def test_a_track_unlike_all_others_by_its_descriptors_together_is_flagged(spark):
    random = np.random.default_rng(1)
    values = random.normal(size=(400, len(flags.DESCRIPTORS)))
    values[7] = 4.5 * np.array([1, -1, 1, -1, 1])
    rows = described(spark, values)
    assert flags.flag_outliers(rows).where("size(flags) > 0").count() == 0
    found = {row["track_id"]: row["flags"] for row in flags.flag_isolated(rows).collect()}
    assert len(found) == len(values)
    assert {track: reasons for track, reasons in found.items() if reasons} == {"7": ["outlier:isolation"]}


def test_what_one_descriptor_flags_is_not_flagged_as_isolated_too(spark):
    values = np.random.default_rng(1).normal(size=(100, len(flags.DESCRIPTORS)))
    values[7] = 40.0
    rows = flags.flag_isolated(flags.flag_outliers(described(spark, values)))
    assert "outlier:isolation" not in {each for row in rows.select("flags").collect() for each in row["flags"]}

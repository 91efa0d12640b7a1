from __future__ import annotations

import numpy as np

from segue.corpus import flags


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

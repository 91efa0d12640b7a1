"""Which tracks are learned from, and in which part each is."""

from __future__ import annotations

import zlib

import numpy as np
import pytest

from segue.errors import TrainingError
from segue.genres import dataset

SCHEMA = "track_id string, artist string, genre string, features array<double>, flags array<string>, split string"
FAMILIES = {"mfcc": [0, 1, 2, 3, 4, 5]}


def made(count, name, *, artists=20, prefix="t"):
    random = np.random.default_rng([0, *name.encode()])
    return [
        (f"{prefix}-{name}-{i}", f"band {i % artists} {name}", name, random.normal(size=6).tolist())
        for i in range(count)
    ]


@pytest.fixture
def label(spark):
    def create(rows, **options):
        filled = [(*row, *([], None)[len(row) - 4 :]) for row in rows]
        return dataset.prepare_dataset(spark.createDataFrame(filled, SCHEMA), FAMILIES, **options)

    return create


def parts(data):
    return {row.track_id: row.part for row in data.tracks.select("track_id", "part").collect()}


def test_no_artist_is_in_two_parts(label):
    data = label(made(80, "jig") + made(80, "reel", artists=25))
    by_artist = {}
    for row in data.tracks.select("artist", "part").collect():
        by_artist.setdefault(row.artist, set()).add(row.part)
    assert len(by_artist) == 45
    assert all(len(seen) == 1 for seen in by_artist.values())
    assert set().union(*by_artist.values()) == {"train", "validation", "test"}
    assert data.split_by_track == []


def test_a_track_stays_in_its_part_when_the_corpus_grows(label):
    before = made(40, "jig") + made(40, "reel")
    grown = before + made(60, "jig", artists=40, prefix="new") + made(30, "hymn")
    small, large = parts(label(before)), parts(label(grown))
    assert {track: large[track] for track in small} == small


def test_a_genre_once_split_by_track_stays_so_when_more_artists_come(label):
    few = made(40, "chorale", artists=2) + made(60, "reel")
    first = label(few)
    assert first.split_by_track == ["chorale"]
    more = few + made(60, "chorale", artists=30, prefix="new")
    assert label(more).split_by_track == []
    second = label(more, split_by_track=first.split_by_track)
    assert second.split_by_track == ["chorale"]
    assert parts(second).items() >= parts(first).items()


def test_the_part_is_a_hash_of_the_artists_name_alone(spark):
    names = ["Palestrina", "Ó Riada", "ryan's mammoth collection"]
    frame = spark.createDataFrame([(name,) for name in names], "unit string")
    found = [row.part for row in frame.select(dataset.part_of(frame.unit).alias("part")).collect()]
    percents = [zlib.crc32(name.encode()) % 100 for name in names]
    assert found == ["train" if p < 60 else "validation" if p < 80 else "test" for p in percents]


def test_spelling_of_an_artist_in_capitals_or_spaces_makes_no_other_artist(label):
    rows = made(40, "jig") + made(40, "reel")
    shouted = [(track, f" {artist.upper()} ", name, features) for track, artist, name, features in rows]
    assert parts(label(rows)) == parts(label(shouted))


def test_a_genre_of_one_collection_is_split_by_track_and_named(label):
    data = label(made(60, "chorale", artists=1) + made(60, "reel"))
    assert data.split_by_track == ["chorale"]
    chorale = {part for track, part in parts(data).items() if "chorale" in track}
    assert chorale == {"train", "validation", "test"}


def test_a_genre_whose_artists_leave_a_part_empty_is_split_by_track(label):
    in_train = [name for name in (f"band {i}" for i in range(100)) if zlib.crc32(name.encode()) % 100 < 60][:8]
    rows = [(f"t{i}", in_train[i % 8], "polka", [float(i)] * 6) for i in range(60)]
    assert label(rows + made(60, "reel")).split_by_track == ["polka"]


def test_tracks_without_artist_are_split_by_track(label):
    rows = [(track, None, name, features) for track, _, name, features in made(60, "jig") + made(60, "reel")]
    assert set(parts(label(rows)).values()) == {"train", "validation", "test"}


def test_the_sources_own_division_goes_first_for_the_artists_other_tracks_too(label):
    official = {0: "training", 1: "Validation", 2: "test"}
    rows = [
        (track, f"{name} {i % 9}", name, features, [], official[i % 3] if i < 18 else None)
        for name in ("jig", "reel")
        for i, (track, _, _, features) in enumerate(made(36, name))
    ]
    found = parts(label(rows))
    expected = {0: "train", 1: "validation", 2: "test"}
    assert found == {row[0]: expected[int(row[1].split()[1]) % 3] for row in rows}


def test_a_division_with_an_artist_on_both_sides_is_refused(label):
    rows = [(*row, [], "training" if i % 2 else "test") for i, row in enumerate(made(40, "jig", artists=5))]
    with pytest.raises(TrainingError, match="5 artists in more than one part, such as band 0 jig"):
        label(rows + made(40, "reel"))


def test_every_genre_weighs_the_same(label):
    data = label(made(90, "jig") + made(30, "reel"))
    rows = data.tracks.groupBy("genre").sum("weight").collect()
    assert {row[0]: row[1] for row in rows} == pytest.approx({"jig": 60, "reel": 60})
    assert data.weights == pytest.approx({"jig": 2 / 3, "reel": 2.0})


def test_what_cannot_be_learned_from_is_counted_by_reason(label):
    rows = made(40, "jig") + made(40, "reel") + made(3, "polka") + made(1, "waltz")
    rows += [("n1", "x", None, [0.0] * 6), ("n2", "x", "jig", [float("nan")] + [0.0] * 5)]
    rows += [("n3", "x", "jig", [float("inf")] + [0.0] * 5), ("n4", "x", "jig", None)]
    rows += [("n5", "y", "jig", [0.0] * 6, ["outlier", "duplicate_content:t-jig-1"])]
    rows += [("n6", "y", "jig", [0.0] * 6), ("n6", "y", "reel", [0.0] * 6), rows[0]]
    data = label(rows)
    assert data.rejected == {
        "no genre": 1,
        "not finite": 2,
        "without one of the vectors": 1,
        "duplicate": 1,
        "two genres for one track": 2,
        "the same track again": 1,
        "genre of fewer than 10 tracks": 4,
    }
    assert data.tracks.count() == 80


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("t", "a", None, [0.0])], "No published track has a genre.*metadata table"),
        (made(20, "jig"), "two genres of at least 10 tracks.*jig 20"),
        (made(9, "jig") + made(50, "reel"), "two genres of at least 10 tracks.*jig 9, reel 50"),
        (
            [(f"t{i}", "a", "jr"[i % 2], [0.0], [], "train") for i in range(40)],
            "no tracks for validation and test",
        ),
    ],
)
def test_too_little_to_learn_from_is_one_clear_sentence(label, rows, message):
    with pytest.raises(TrainingError, match=message):
        label(rows)

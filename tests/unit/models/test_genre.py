from __future__ import annotations

import zlib

import numpy as np
import pytest

from segue.errors import TrainingError
from segue.models import genre

SCHEMA = "track_id string, artist string, genre string, features array<double>, flags array<string>"


def made(count, name, *, artists=8, shift=0.0, seed=0, prefix="t"):
    random = np.random.default_rng([seed, *name.encode()])
    return [
        (f"{prefix}-{name}-{i}", f"{name} artist {i % artists}", name, (random.normal(size=6) + shift).tolist())
        for i in range(count)
    ]


@pytest.fixture
def tracks(spark):
    def create(rows):
        return spark.createDataFrame([(*row, []) if len(row) == 4 else row for row in rows], SCHEMA)

    return create


def parts(data):
    return {row.track_id: row.part for row in data.tracks.select("track_id", "part").collect()}


def test_no_artist_is_in_two_parts(tracks):
    data = genre.label(tracks(made(80, "jig", artists=20) + made(80, "reel", artists=25)))
    found = parts(data)
    by_artist = {}
    for track_id, part in found.items():
        _, name, number = track_id.split("-")
        artist = f"{name} {int(number) % (20 if name == 'jig' else 25)}"
        by_artist.setdefault(artist, set()).add(part)
    assert len(found) == 160
    assert all(len(seen) == 1 for seen in by_artist.values())
    assert set(found.values()) == {"train", "validation", "test"}
    assert data.split_by_track == []


def test_a_track_stays_in_its_part_when_the_corpus_grows(tracks):
    before = made(40, "jig") + made(40, "reel")
    grown = before + made(60, "jig", artists=40, prefix="new") + made(30, "hymn")
    small, large = parts(genre.label(tracks(before))), parts(genre.label(tracks(grown)))
    assert {track: large[track] for track in small} == small


def test_the_part_is_a_hash_of_the_artists_name_alone(spark):
    names = ["Palestrina", "Ó Riada", "ryan's mammoth collection"]
    frame = spark.createDataFrame([(name,) for name in names], "unit string")
    found = [row.part for row in frame.select(genre.part_of(frame.unit).alias("part")).collect()]
    percents = [zlib.crc32(name.encode()) % 100 for name in names]
    assert found == ["train" if p < 60 else "validation" if p < 80 else "test" for p in percents]


def test_spelling_of_an_artist_in_capitals_or_spaces_makes_no_other_artist(tracks):
    rows = made(40, "jig") + made(40, "reel")
    shouted = [(track, f" {artist.upper()} ", name, features) for track, artist, name, features in rows]
    assert parts(genre.label(tracks(rows))) == parts(genre.label(tracks(shouted)))


def test_a_genre_of_one_collection_is_split_by_track_and_named(tracks):
    data = genre.label(tracks(made(60, "chorale", artists=1) + made(60, "reel", artists=20)))
    assert data.split_by_track == ["chorale"]
    chorale = {part for track, part in parts(data).items() if "chorale" in track}
    assert chorale == {"train", "validation", "test"}


def test_tracks_without_artist_are_split_by_track(tracks):
    rows = [(track, None, name, features) for track, _, name, features in made(60, "jig") + made(60, "reel")]
    assert set(parts(genre.label(tracks(rows))).values()) == {"train", "validation", "test"}


def test_every_genre_weighs_the_same(tracks):
    data = genre.label(tracks(made(90, "jig") + made(30, "reel")))
    weights = {
        row.genre: row.weight
        for row in data.tracks.groupBy("genre")
        .agg({"weight": "sum"})
        .withColumnRenamed("sum(weight)", "weight")
        .collect()
    }
    assert weights == pytest.approx({"jig": 60, "reel": 60})


def test_what_cannot_be_learned_from_is_counted_by_reason(tracks):
    rows = made(20, "jig") + made(20, "reel") + made(3, "polka")
    rows += [("n1", "x", None, [0.0] * 6), ("n2", "x", "jig", [float("nan")] + [0.0] * 5)]
    rows += [("n3", "x", "jig", [float("inf")] + [0.0] * 5), ("n4", "x", "jig", None)]
    rows += [("n5", "y", "jig", [0.0] * 6, ["outlier", "duplicate_content:t-jig-1"])]
    data = genre.label(tracks(rows))
    assert data.rejected == {"no genre": 1, "not finite": 3, "duplicate": 1, "genre of fewer than 10 tracks": 3}
    assert data.tracks.count() == 40


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([("t", "a", None, [0.0])], "No published track has a genre.*metadata table"),
        (made(20, "jig"), "two genres of at least 10 tracks.*jig 20"),
        (made(9, "jig") + made(50, "reel"), "two genres of at least 10 tracks.*jig 9, reel 50"),
    ],
)
def test_too_little_to_learn_from_is_one_clear_sentence(tracks, rows, message):
    with pytest.raises(TrainingError, match=message):
        genre.label(tracks(rows))


def test_an_empty_part_is_refused(tracks):
    rows = [(f"t{i}", "palestrina", name, [float(i)]) for i, name in enumerate(["jig", "reel"] * 20)]
    rows = [(track, f"{artist} {'abcdefgh'[i % 8]}", name, f) for i, (track, artist, name, f) in enumerate(rows)]
    data = genre.label(tracks(rows))
    only_train = genre.Labelled(data.tracks.where("part = 'train'"), data.genres, [])
    with pytest.raises(TrainingError, match="no tracks for validation and test"):
        next(genre.tune(only_train, {}))


def test_the_model_beats_guessing_names_genres_and_survives_saving(tracks, tmp_path):
    from pyspark.ml import PipelineModel

    rows = made(60, "jig", artists=15) + made(60, "reel", artists=15, shift=2.0) + made(40, "hymn", shift=-2.0)
    data = genre.label(tracks(rows))
    classifiers = genre.candidates()
    chosen = {name: classifiers[name] for name in ("logistic regression, regParam=0.1",)}
    [(name, f1)] = genre.tune(data, chosen)
    model = genre.fit(data, chosen[name])
    judged, guessing = genre.evaluate(model, data).metrics(), genre.majority(data).metrics()
    assert f1 > 0.8
    assert judged["macro_f1"] > 0.8 > 0.4 > guessing["macro_f1"]

    model.write().overwrite().save((tmp_path / "model").as_uri())
    again = PipelineModel.load((tmp_path / "model").as_uri())
    unlabelled = data.tracks.select("track_id", "features")
    assert again.transform(unlabelled).select("predicted_genre").distinct().count() == 3
    assert not list(tmp_path.rglob("*.pkl"))


def test_a_constant_feature_does_no_harm(tracks):
    rows = [
        (track, artist, name, [*features, 7.0])
        for track, artist, name, features in made(60, "jig") + made(60, "reel", shift=3.0)
    ]
    data = genre.label(tracks(rows))
    model = genre.fit(data, genre.candidates()["logistic regression, regParam=0.1"])
    assert genre.evaluate(model, data).metrics()["macro_f1"] > 0.9

"""What the trainings read, through Spark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from pyspark.sql import functions as sf

from segue.audio.definition import N_FEATURES
from segue.errors import TrainingError
from segue.listens.plays import recording_msid
from segue.recommender.interactions import LOVE, Interactions
from segue.recommender.material import Material
from segue.recommender.model import Catalogue
from segue.recommender.recipe import Audio
from segue.tracks.sound_vectors import FEATURES, VectorColumn
from segue.tracks.vectors import pack

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

TRACKS = "track_id string, title string, artist string, recording string, features binary"
LISTENS = "user_name string, track_id string, listened_at long, plays float, partition int, offset long"


@pytest.fixture
def tracks(spark: SparkSession) -> DataFrame:
    vectors = pack(np.random.default_rng(0).normal(size=(3, N_FEATURES)))
    rows = [
        ("t2", "Two", None, None, vectors[0]),
        ("t0", "Zero", "Ann", "t0", vectors[1]),
        ("t1", None, "Bob", "t1", vectors[2]),
    ]
    return spark.createDataFrame(rows, TRACKS)


def test_the_sound_of_a_track_is_made_of_the_vectors_that_are_named(
    spark: SparkSession, tracks: DataFrame
) -> None:
    near = np.array([1, 2, 5], "<f4")
    embeddings = {"t0": near, "t1": near * np.float32(1.01), "t2": -near}
    rows = [(track, vector.tobytes(), "v1") for track, vector in embeddings.items()]
    added = spark.createDataFrame(rows, "track_id string, embedding binary, embedding_version string")
    listens = [(name, track, 1, 1.0, 0, 1) for name in "ab" for track in ("t0", "t1")]
    played, both = spark.createDataFrame(listens, LISTENS), tracks.join(added, "track_id")
    column = VectorColumn("embedding", "v1", 3)
    of_embedding = Material.read(played, both, (column,)).audio.sounds
    assert of_embedding[0] @ of_embedding[1] > 0.99
    mixed = Material.read(played, both, (FEATURES, column)).audio.sounds
    alone = Material.read(played, both).audio.sounds
    np.testing.assert_array_equal(alone, Material.read(played, tracks).audio.sounds)
    assert alone[0] @ alone[1] < mixed[0] @ mixed[1] < of_embedding[0] @ of_embedding[1]


def test_tracks_and_listeners_are_numbered_in_the_order_of_their_names(
    spark: SparkSession, tracks: DataFrame
) -> None:
    rows = [
        ("zoë", "t2", 30, 1.0, 0, 7),
        ("Ann", "t0", 10, 0.5, 1, 8),
        ("zoë", "t0", 20, 1.0, 0, 9),
        ("émile", "t1", 40, 1.0, 2, 1),
    ]
    material = Material.read(spark.createDataFrame(rows, LISTENS).repartition(3), tracks)
    assert list(material.catalogue.track_ids) == ["t0", "t1", "t2"]
    assert list(material.catalogue.titles) == ["Zero", "", "Two"]
    assert list(material.catalogue.artists) == ["Ann", "Bob", ""]
    plays = material.interactions
    assert plays.users.tolist() == ["Ann", "zoë", "émile"]
    assert plays.timestamp is not None
    names = (plays.users[plays.user], plays.items[plays.item])
    read = zip(*names, plays.timestamp, plays.plays, material.offsets, strict=True)
    found = {(str(user), str(item), int(at), float(n), *map(int, offset)) for user, item, at, n, offset in read}
    assert found == set(rows)
    assert material.audio.sounds.shape == (3, 3)


def test_plays_of_copies_are_plays_of_their_recording(spark: SparkSession, tracks: DataFrame) -> None:
    rows = [
        ("Ann", "t0", 10, 1.0, 0, 1),
        ("Ann", "t2", 20, 1.0, 0, 2),
        ("Bob", "t2", 30, 1.0, 0, 3),
        ("Bob", "t1", 40, 1.0, 0, 4),
    ]
    same = tracks.withColumn("recording", sf.when(sf.col("track_id") != "t1", "t2").otherwise("t1"))
    material = Material.read(spark.createDataFrame(rows, LISTENS), same)
    assert list(material.catalogue.track_ids) == ["t1", "t2"]
    assert material.interactions.matrix().toarray().tolist() == [[0, 2], [1, 1]]
    assert material.audio.sounds.shape == (2, 2)


def with_feedback(loved: dict[str, set[str]], hated: dict[str, set[str]]) -> Material:
    """Let Ann play t0 twice and t1, and Bob t1 and t2; then give feedback."""
    catalogue = Catalogue(["t0", "t1", "t2"], ["Zero", "One", "Two"], ["X", "Y", "Z"])
    plays = Interactions(
        np.array([0, 0, 0, 1, 1]),
        np.array([0, 1, 0, 1, 2]),
        np.ones(5, dtype=np.float32),
        np.arange(5.0),
        np.array(["Ann", "Bob"]),
        np.array(["t0", "t1", "t2"]),
    )
    audio = Audio(np.eye(3, dtype=np.float32), catalogue.artists)
    offsets = np.column_stack([np.zeros(5, dtype=int), np.arange(5)])
    return Material(plays, offsets, catalogue, audio).with_feedback(loved, hated)


def test_a_love_counts_as_plays_and_the_plays_of_a_hated_track_do_not() -> None:
    msid = recording_msid("Z", "Two", None)
    material = with_feedback({"Ann": {"t0", "t2", "unknown"}, "Eve": {"t0"}, "Bob": {msid}}, {"Bob": {"t1"}})
    assert material.interactions.matrix().toarray().tolist() == [[2 + LOVE, 1, 0], [0, 0, 1 + LOVE]]
    assert material.offsets[:, 1].tolist() == [0, 1, 2, 4]
    assert np.asarray(material.interactions.timestamp).tolist() == [0, 1, 2, 4]
    assert with_feedback({}, {}).interactions.plays.tolist() == [1] * 5


def test_without_plays_of_tracks_that_are_not_hated_it_is_said_what_to_do() -> None:
    with pytest.raises(
        TrainingError, match=r"1 listener\(s\) to 2 track\(s\) of the corpus that they do not hate"
    ):
        with_feedback({}, {"Bob": {"t1", "t2"}})


def test_without_listens_it_is_said_what_to_do(spark: SparkSession, tracks: DataFrame) -> None:
    with pytest.raises(TrainingError, match="listens of 0 listener"):
        Material.read(spark.createDataFrame([], LISTENS), tracks)

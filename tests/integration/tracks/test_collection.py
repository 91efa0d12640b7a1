"""The collection in the form before: 518 doubles a track and the validator that demanded them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from py4j.protocol import Py4JJavaError
from pymongo.collection import Collection
from pymongo.database import Database
from pyspark.sql import SparkSession

from segue.audio.definition import N_FEATURES, index
from segue.errors import CorpusError
from segue.settings import Settings
from segue.stack import lifecycle
from segue.tracks import collection as tracks
from segue.tracks.reading import read_tracks
from segue.tracks.vectors import unpack

pytestmark = pytest.mark.integration

OLD_VALIDATOR = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": ["title", "duration_s", "path", "feature_version", "features", "flags", "partition_date"],
        "properties": {
            "features": {
                "bsonType": "array",
                "minItems": N_FEATURES,
                "maxItems": N_FEATURES,
                "items": {"bsonType": "double"},
            }
        },
    }
}
VECTORS = np.random.default_rng(0).normal(size=(1_200, N_FEATURES)).astype(np.float32)


@pytest.fixture
def old(mongo: Database[Any]) -> Iterator[Collection[Any]]:
    """Fill the collection as the version before did."""
    mongo.drop_collection(tracks.COLLECTION)
    mongo.create_collection(tracks.COLLECTION, validator=OLD_VALIDATOR)
    mongo[tracks.COLLECTION].insert_many(
        {
            "_id": f"t{i:04}",
            "title": "T",
            "duration_s": 29.9,
            "path": "t.mp3",
            "feature_version": "2",
            "flags": [],
            "partition_date": "2026-03-01",
            "genre_predicted": "Jazz",
            "features": vector.astype(float).tolist(),
        }
        for i, vector in enumerate(VECTORS)
    )
    yield mongo[tracks.COLLECTION]
    mongo.drop_collection(tracks.COLLECTION)


def read(collection: Collection[Any]) -> np.ndarray[Any, Any]:
    return unpack([each["features"] for each in collection.find().sort("_id")])


def test_documents_of_doubles_are_migrated_where_they_are(old: Collection[Any], mongo: Database[Any]) -> None:
    lines: list[str] = []
    tracks.prepare(mongo, lines.append)
    np.testing.assert_array_equal(read(old), VECTORS)
    one = old.find_one("t0007")
    assert one is not None
    assert one["genre_predicted"] == "Jazz"
    assert one["descriptors"]["mfcc_02"] == VECTORS[7, index("mfcc", "mean", 2)]
    assert [line.split()[0] for line in lines] == ["500", "1,000", "1,200"]
    tracks.prepare(mongo, lines.append)
    assert len(lines) == 3, "what is done is not looked for again"


def test_a_migration_that_was_killed_is_taken_up_again(old: Collection[Any], mongo: Database[Any]) -> None:
    def stop(line: str) -> None:
        raise KeyboardInterrupt(line)

    with pytest.raises(KeyboardInterrupt):
        tracks.prepare(mongo, stop)
    assert old.count_documents(tracks.OF_DOUBLES) == 700
    with pytest.raises(CorpusError, match="segue up"):
        tracks.require_form(mongo)
    tracks.prepare(mongo)
    np.testing.assert_array_equal(read(old), VECTORS)
    tracks.require_form(mongo)


@pytest.mark.embedded_documents
@pytest.mark.usefixtures("old")
def test_readers_say_what_to_do_and_segue_up_does_it(
    spark: SparkSession, settings: Settings, mongo: Database[Any]
) -> None:
    with pytest.raises(CorpusError, match="segue up"):
        read_tracks(spark, "features")
    lifecycle.up(settings, ["mongo"])
    assert not tracks.is_of_doubles(mongo)
    with suppress(Py4JJavaError):  # `up` restarts a server of older code, which breaks the session's connections
        read_tracks(spark, "features").count()
    found = read_tracks(spark, "features").toArrow().sort_by("track_id")
    np.testing.assert_array_equal(unpack(found.column("features")), VECTORS)


def test_pages_hold_each_track_once_whether_its_day_is_announced_or_not(
    mongo: Database[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tracks, "READ_AT_ONCE", 3)
    announced = {"2026-03-02": 2, "2026-03-03": 1, "2026-03-04": 5, "2026-03-06": 2}
    others = {"2026-03-01": 1, "2026-03-05": 1, "2026-03-07": 2}
    for name in (tracks.COLLECTION, tracks.ANNOUNCED):
        mongo.drop_collection(name)
    there = [
        {"_id": f"{number}-{day}", "title": "T", "partition_date": day}
        for day, count in (announced | others).items()
        for number in range(count)
    ]
    mongo[tracks.COLLECTION].create_index("partition_date")
    mongo[tracks.COLLECTION].insert_many(there)
    assert sorted(each["_id"] for page in tracks.in_pages(mongo) for each in page) == sorted(
        each["_id"] for each in there
    )
    mongo[tracks.ANNOUNCED].insert_many({"_id": day, "tracks": count} for day, count in announced.items())
    pages = [[each["_id"] for each in page] for page in tracks.in_pages(mongo, "title")]
    assert sorted(each for page in pages for each in page) == sorted(each["_id"] for each in there)
    assert [len(page) for page in pages] == [4, 6, 4]
    assert next(tracks.in_pages(mongo, "title"))[0] == {"_id": "0-2026-03-01", "title": "T"}
    for name in (tracks.COLLECTION, tracks.ANNOUNCED):
        mongo.drop_collection(name)

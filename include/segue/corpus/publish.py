"""Publish the integrated dataset to MongoDB, so that the collection holds exactly the tracks of the lake."""

from __future__ import annotations

import time
from typing import Any

from pymongo import DeleteOne
from pymongo.collection import Collection
from pymongo.database import Database
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from segue.corpus.days import Days
from segue.corpus.lake import Lake
from segue.corpus.schema import PARTITION
from segue.tracks.vectors import DESCRIPTORS, SIZE_BYTES, features_binary

COLLECTION = "tracks"
INDEXES = (PARTITION, "genre", "artist")

FIELDS = (
    "title",
    "artist",
    "album",
    "genre",
    "type",
    "language",
    "split",
    "year",
    "duration_s",
    "path",
    "feature_version",
    "sample_rate",
    "flags",
)

VALIDATOR = {
    "$jsonSchema": {
        "bsonType": "object",
        "required": [
            "title",
            "duration_s",
            "path",
            "feature_version",
            "features",
            "descriptors",
            "flags",
            PARTITION,
        ],
        "properties": {
            "_id": {"bsonType": "string", "minLength": 1},
            "title": {"bsonType": "string", "minLength": 1},
            "duration_s": {"bsonType": "double", "minimum": 0},
            "features": {"bsonType": "binData"},
            "descriptors": {
                "bsonType": "object",
                "required": [*DESCRIPTORS],
                "properties": {name: {"bsonType": "double"} for name in DESCRIPTORS},
            },
            "flags": {"bsonType": "array", "items": {"bsonType": "string"}},
            PARTITION: {"bsonType": "string", "pattern": r"^\d{4}-\d{2}-\d{2}$"},
        },
    },
    "$expr": {"$eq": [{"$binarySize": "$features"}, SIZE_BYTES]},
}
"""What every reader of the collection may rely on; MongoDB refuses a document that is otherwise."""


def run(lake: Lake, database: Database[Any], days: Days) -> dict[str, Any]:
    """Publish some days.

    Documents are replaced whole, by their id; then those of the same days that the lake does not have (any more)
    are removed. Killed in between and run again, it ends the same.

    Parameters
    ----------
    lake : Lake
    database : pymongo.database.Database
        Where the collection ``tracks`` is; the connector writes to the same one.
    days : Days

    Returns
    -------
    dict
        The summary of the job.
    """
    started = time.monotonic()
    collection = database[COLLECTION]
    for field in INDEXES:
        collection.create_index(field)
    database.command("collMod", COLLECTION, validator=VALIDATOR)
    tracks = lake.read("tracks").where(days.condition)
    (
        in_order(documents(tracks))
        .write.format("mongodb")
        .mode("append")
        .option("collection", COLLECTION)
        .option("operationtype", "replace")
        .save()
    )
    published = tracks.count()
    removed = _remove_others(collection, days, tracks, published)
    seconds = time.monotonic() - started
    return {
        "published": published,
        "removed": removed,
        "tracks_in_collection": collection.estimated_document_count(),
        "collection": f"{database.name}.{COLLECTION}",
        "seconds": seconds,
    }


def documents(tracks: DataFrame) -> DataFrame:
    """Shape tracks as documents.

    Parameters
    ----------
    tracks : DataFrame
        Rows of `schema.TRACKS`.

    Returns
    -------
    DataFrame
        ``_id`` is the track id, `partition_date` is text (``YYYY-MM-DD``), `features` and `descriptors` are as
        `segue.tracks.vectors` says.
    """
    day = sf.date_format(PARTITION, "yyyy-MM-dd").alias(PARTITION)
    vector = features_binary("features").alias("features")
    named = [sf.get("features", sf.lit(at)).cast("double").alias(name) for name, at in DESCRIPTORS.items()]
    descriptors = sf.struct(*named).alias("descriptors")
    return tracks.select(sf.col("track_id").alias("_id"), *FIELDS, vector, descriptors, day)


def in_order(rows: DataFrame) -> DataFrame:
    """Let each task write day by day, and a day's documents by id: so those of a day lie together."""
    return rows.sortWithinPartitions(PARTITION, "_id")


def within(days: Days) -> dict[str, Any]:
    """Give MongoDB's filter for documents whose partition date is one of these days."""
    span = {
        **({"$gte": days.first.isoformat()} if days.first else {}),
        **({"$lte": days.last.isoformat()} if days.last else {}),
    }
    either: list[dict[str, Any]] = [
        {PARTITION: span} if span else {},
        {PARTITION: {"$in": list(map(str, days.late))}},
    ]
    return {"$or": either} if days.late else either[0]


def _remove_others(collection: Collection[Any], days: Days, tracks: DataFrame, published: int) -> int:
    """Remove the documents of these days that are none of the `published` tracks."""
    condition = within(days)
    # The tracks are all there by now, so that others are there only if there are more.
    there = collection.count_documents(condition) if condition else collection.estimated_document_count()
    if there == published:
        return 0
    ids = {row["track_id"] for row in tracks.select("track_id").collect()}
    found = collection.find(condition, {"_id": 1})
    stale = [DeleteOne({"_id": document["_id"]}) for document in found if document["_id"] not in ids]
    return collection.bulk_write(stale, ordered=False).deleted_count if stale else 0

"""Publish the integrated dataset to MongoDB, so that the collection holds exactly the tracks of the lake.

    lake ──► documents, each with a digest ──► those that are missing or differ ──► Spark's workers
    MongoDB: ids and digests of these days ──────────┘                               write them with pymongo

A document server inserts several times as fast as it replaces. So only what has changed is replaced.

No model is needed. Tracks without a genre get one from the genre model after they were announced, by the DAG
`new_tracks`.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from pymongo import DeleteOne, InsertOne, MongoClient, ReplaceOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import BulkWriteError
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from segue.connections import mongo
from segue.corpus import announced
from segue.corpus.announcement import announce
from segue.corpus.days import Days
from segue.corpus.documents import documents, within
from segue.corpus.lake import Lake
from segue.corpus.progress import shown
from segue.corpus.reports import Published, PublishReport
from segue.corpus.schema import PARTITION
from segue.errors import CorpusError
from segue.settings import Settings
from segue.tracks.collection import COLLECTION, prepare
from segue.tracks.vectors import describe, pack

if TYPE_CHECKING:
    from pyspark import Accumulator

LABELS = ("genre_predicted", "genre_probability", "genre_model")
"""Fields that `segue.genres.predictions` adds to a document."""

TRACKS_PER_TASK = 5_000
"""The progress counts a task's documents when the task ends, so larger tasks would hide it."""

WRITTEN_AT_ONCE = 1_000

DUPLICATE_KEY = 11_000
NOT_VALID = 121
"""MongoDB's codes for an id that exists already, and for a document that the validator refuses."""

Batches = Iterator[pa.RecordBatch]


def run(lake: Lake, database: Database[Any], days: Days, settings: Settings) -> PublishReport:
    """Publish some days, then announce those that have changed.

    Parameters
    ----------
    lake : Lake
    database : pymongo.database.Database
        Where the collection ``tracks`` is.
    days : Days
    settings : Settings
        Say where Spark's workers find the document server, and where Kafka is.

    Returns
    -------
    PublishReport

    Raises
    ------
    CorpusError
        If MongoDB has refused a document; all others are written, and nothing is announced.
    ServiceUnavailableError
        If Kafka did not take an announcement; the next run repeats it.
    """
    published = update(lake, database, days, settings)
    changes = announced.changes(lake, database, days)
    announce(settings, {change.day: change.tracks for change in changes})
    announced.note(database, changes)
    return PublishReport(published=published, days_announced=len(changes))


def update(lake: Lake, database: Database[Any], days: Days, settings: Settings) -> Published:
    """Bring the documents of some days in step with the lake.

    New documents are inserted, and changed ones are replaced. A replaced document keeps the genre model's answer
    while the track sounds the same and has no genre of its own. Then those documents of these days are deleted
    that the lake does not have. Killed in between and run again, it ends the same.

    Parameters
    ----------
    lake, database, days, settings
        As of `run`.

    Returns
    -------
    Published

    Raises
    ------
    CorpusError
        If MongoDB has refused a document; all others are written.
    """
    started = time.monotonic()
    collection = prepare(database, lambda line: print(line, flush=True))
    tracks = lake.read("tracks").where(days.condition)
    of_days = within(days)
    there = {each["_id"]: each.get("digest") for each in collection.find(of_days, {"digest": 1})}
    ids = set(tracks.select("track_id").toArrow().column(0).to_pylist())
    written = _write(documents(tracks), there, len(ids), database, settings)
    # The filter names the days too: another run may have published the track on a day of its own meanwhile.
    stale = [DeleteOne({"_id": track_id} | of_days) for track_id in there.keys() - ids]
    return Published(
        collection=f"{database.name}.{COLLECTION}",
        tracks=len(ids),
        written=written,
        removed=collection.bulk_write(stale, ordered=False).deleted_count if stale else 0,
        tracks_in_collection=collection.estimated_document_count(),
        seconds=time.monotonic() - started,
    )


def write_documents(uri: str, database: str, written: Accumulator[int]) -> Callable[[Batches], Batches]:
    """Return the function that writes the documents of one Spark task.

    Parameters
    ----------
    uri, database : str
        Where to.
    written : Accumulator
        Counts the documents.

    Returns
    -------
    callable
        For `mapInArrow`: from batches of `documents` with the column ``is_new`` to a row for each document that
        MongoDB has refused. Its column ``refused`` holds the id and the reason.
    """

    def write(batches: Batches) -> Batches:
        collection = _client(uri)[database][COLLECTION]
        for batch in batches:
            refused: list[str] = []
            for start in range(0, batch.num_rows, WRITTEN_AT_ONCE):
                rows = batch.slice(start, WRITTEN_AT_ONCE)
                errors = _write_rows(collection, rows)
                written.add(rows.num_rows - len(errors))
                refused += errors
            yield pa.record_batch({"refused": pa.array(refused, pa.string())})

    return write


def _write(
    rows: DataFrame, there: dict[str, int | None], total: int, database: Database[Any], settings: Settings
) -> int:
    """Write the documents that are not `there` with the same digest; return how many."""
    known = pa.table({"_id": pa.array(there.keys(), pa.string()), "known": pa.array(there.values(), pa.int64())})
    spark = rows.sparkSession
    compared = rows.join(spark.createDataFrame(known).withColumn("is_there", sf.lit(True)), "_id", "left")
    changed = compared.where(~sf.col("digest").eqNullSafe(sf.col("known")))
    tasks = changed.withColumn("is_new", sf.isnull("is_there")).drop("known", "is_there")
    tasks = tasks.repartition(max(total // TRACKS_PER_TASK, spark.sparkContext.defaultParallelism), "_id")
    written: Accumulator[int] = spark.sparkContext.accumulator(0)
    started = time.monotonic()

    def line() -> str:
        rate = written.value / max(time.monotonic() - started, 1e-9)
        return f"progress: {written.value:,} documents written of at most {total:,}, {rate:,.0f} a second"

    write = write_documents(settings.mongo, database.name, written)
    ordered = tasks.sortWithinPartitions(PARTITION, "_id")
    with shown(line, lambda: written.value, started):
        refused = ordered.mapInArrow(write, "refused string").collect()
    if refused:
        raise CorpusError(f"MongoDB has refused {len(refused):,} tracks, such as {refused[0].refused}")
    return written.value


@cache
def _client(uri: str) -> MongoClient[Any]:
    """Open the one client of this Python worker. Spark reuses workers."""
    return mongo.client(uri)


def _write_rows(collection: Collection[Any], rows: pa.RecordBatch) -> list[str]:
    """Write documents; return which of them MongoDB has refused, and why."""
    vectors = pack(np.asarray(rows["features"].flatten()))
    made = [
        fields | {"features": vector, "descriptors": describe(vector)}
        for fields, vector in zip(rows.drop_columns(["features"]).to_pylist(), vectors, strict=True)
    ]
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for document in made:
        (new if document.pop("is_new") else changed).append(document)
    errors = _bulk_write(collection, [InsertOne(document) for document in new])
    # An earlier try of this task may have inserted it, or it exists under another day: then it is replaced.
    changed += [new[error["index"]] for error in errors if error["code"] == DUPLICATE_KEY]
    refused = [(new[error["index"]], error) for error in errors if error["code"] == NOT_VALID]
    _keep_labels(collection, changed)
    replacements = [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in changed]
    refused += [(changed[error["index"]], error) for error in _bulk_write(collection, replacements)]
    return [f"{document['_id']}: {error['errmsg']}" for document, error in refused]


def _keep_labels(collection: Collection[Any], changed: list[dict[str, Any]]) -> None:
    """Copy the model's answer into documents without a genre, if they replace one of the same sound."""
    unknown = {document["_id"]: document for document in changed if document["genre"] is None}
    labelled = {"_id": {"$in": list(unknown)}, "genre_model": {"$exists": True}}
    for found in collection.find(labelled, dict.fromkeys((*LABELS, "features"), 1)) if unknown else ():
        document = unknown[found["_id"]]
        if found["features"] == document["features"]:
            document |= {name: found[name] for name in LABELS if name in found}


def _bulk_write(collection: Collection[Any], writes: list[Any]) -> list[dict[str, Any]]:
    """Write; return the errors that concern single documents, and raise any other."""
    if not writes:
        return []
    try:
        collection.bulk_write(writes, ordered=False)
    except BulkWriteError as error:
        errors: list[dict[str, Any]] = (error.details or {}).get("writeErrors", [])
        if not errors or any(each["code"] not in (DUPLICATE_KEY, NOT_VALID) for each in errors):
            raise
        return errors
    return []

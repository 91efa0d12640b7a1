"""Publish the integrated dataset to MongoDB. Afterwards the collection holds exactly the tracks of the lake.

    lake ──► documents, each with a digest ──► those that are missing or differ ──► Spark's workers
    MongoDB: ids and digests of these days ──────────┘                               write them with pymongo

Inserting a document is several times as fast as replacing one. So only documents that have changed are replaced.

Publishing needs no model. Tracks without a genre get a predicted one later: the DAG `new_tracks` applies the genre
model after the tracks are announced.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Set
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
from segue.corpus.documents import EMBEDDING, documents, within
from segue.corpus.lake import Lake
from segue.corpus.progress import shown
from segue.corpus.reports import Published, PublishReport
from segue.corpus.schema import PARTITION
from segue.errors import CorpusError
from segue.runs.progress import spark_tasks, step
from segue.settings import Settings
from segue.tracks import sounds
from segue.tracks.collection import COLLECTION, OPTIONAL, prepare
from segue.tracks.vectors import describe, pack, pack_lists

if TYPE_CHECKING:
    from pyspark import Accumulator

LABELS = ("genre_predicted", "genre_probability", "genre_model")
"""Fields that `segue.genres.predictions` adds to a document."""

ABSENT_IF_NULL = frozenset((*OPTIONAL, *EMBEDDING))

TRACKS_PER_TASK = 5_000
"""The progress lines count the documents of finished tasks. With larger tasks they would rarely change."""

WRITTEN_AT_ONCE = ASKED_AT_ONCE = 1_000

GROUPED = {"recording": {"$exists": True}}
"""Finds documents that are not of an older form."""

DUPLICATE_KEY = 11_000
NOT_VALID = 121
"""MongoDB's error codes: the id exists already, and the validator refuses the document."""

Batches = Iterator[pa.RecordBatch]


def run(lake: Lake, database: Database[Any], days: Days, settings: Settings) -> PublishReport:
    """Publish some days, announce those that have changed, and place their tracks in the space of sound.

    Parameters
    ----------
    lake : Lake
    database : pymongo.database.Database
        The database with the collection ``tracks``.
    days : Days
    settings : Settings
        They have the addresses of the document server, for Spark's workers, and of Kafka.

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
    with step("Find the days that have changed", spark_tasks(lake.spark)):
        changes = announced.changes(lake, database, days)
    announce(settings, {change.day: change.tracks for change in changes})
    announced.note(database, changes)
    with step("Place the tracks by their sound"):
        sounds.update(database, lambda line: print(line, flush=True), vectors=settings.vector_columns)
    return PublishReport(published=published, days_announced=len(changes))


def update(lake: Lake, database: Database[Any], days: Days, settings: Settings) -> Published:
    """Update the documents of some days to match the lake.

    New documents are inserted, and changed ones are replaced. A replaced document keeps the predicted genre if
    the track still has the same features and no genre of its own. Then documents of these days are deleted if the
    lake has no such track. Documents of other days are replaced if their track has another `recording` now. If the
    update is killed and run again, the result is the same.

    Parameters
    ----------
    lake, database, days, settings
        As for `run`.

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
    with step("Read which documents are there"):
        found = list(collection.find(of_days, {"digest": 1, "recording": 1, PARTITION: 1}))
    there = {each["_id"]: each.get("digest") for each in found}
    of_lake = tracks.select("track_id", "recording").toArrow()
    ids = set(of_lake["track_id"].to_pylist())
    groups = {*of_lake["recording"].to_pylist(), *(each.get("recording") for each in found)}
    if regrouped := _regrouped(lake, collection, days, groups - {None}):
        chosen = lake.spark.createDataFrame(pa.table({"track_id": pa.array(regrouped, pa.string())}))
        tracks = tracks.unionByName(lake.read("tracks").join(chosen, "track_id", "left_semi"))
        there |= dict.fromkeys(regrouped)
    written = _write(documents(tracks), there, len(ids), database, settings)
    # The filter also names the days, because another run may meanwhile have published the track under another day.
    stale = [DeleteOne({"_id": track_id} | of_days) for track_id in there.keys() - ids]
    announced.expect_fewer(database, Counter(each[PARTITION] for each in found if each["_id"] not in ids))
    return Published(
        collection=f"{database.name}.{COLLECTION}",
        tracks=len(ids),
        written=written,
        removed=collection.bulk_write(stale, ordered=False).deleted_count if stale else 0,
        tracks_in_collection=collection.estimated_document_count(),
        seconds=time.monotonic() - started,
    )


def _regrouped(lake: Lake, collection: Collection[Any], days: Days, groups: Set[str]) -> list[str]:
    """Find the tracks of other days whose documents have another `recording` than the lake.

    `groups` are the recordings that the tracks of these days have in the lake and in MongoDB. No other group can
    have changed.
    """
    if not (days.first or days.last):
        return []
    others = lake.read("tracks").where(~days.condition).select("track_id", "recording").toArrow()
    now = dict(zip(*(column.to_pylist() for column in others.columns), strict=True))
    known = _recordings(collection, "recording", groups)
    known |= _recordings(collection, "_id", {track for track, recording in now.items() if recording in groups})
    return [track for track, recording in known.items() if now.get(track, recording) != recording]


def _recordings(collection: Collection[Any], field: str, values: Set[str]) -> dict[str, str]:
    """Return the `recording` of each document whose `field` has one of these values, by its id."""
    ordered = sorted(values)
    found: dict[str, str] = {}
    for start in range(0, len(ordered), ASKED_AT_ONCE):
        chosen = GROUPED | {field: {"$in": ordered[start : start + ASKED_AT_ONCE]}}
        found |= {each["_id"]: each["recording"] for each in collection.find(chosen, {"recording": 1})}
    return found


def write_documents(uri: str, database: str, written: Accumulator[int]) -> Callable[[Batches], Batches]:
    """Return the function that writes the documents of one Spark task.

    Parameters
    ----------
    uri, database : str
        Connection string of the server, and name of the database.
    written : Accumulator
        Counts the documents that are written.

    Returns
    -------
    callable
        For `mapInArrow`. It takes batches of `documents` with the column ``is_new``, and yields a row for each
        document that MongoDB has refused. The column ``refused`` of the row holds the id and the reason.
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
    """Write the documents that `there` lacks or has with another digest. Return their number."""
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
    """Return the client of this Python worker, and open it at the first call. Spark reuses workers."""
    return mongo.client(uri)


def _write_rows(collection: Collection[Any], rows: pa.RecordBatch) -> list[str]:
    """Write documents. Return the id of each document that MongoDB has refused, with the reason."""
    vectors = pack(np.asarray(rows["features"].flatten()))
    embeddings = pack_lists(rows["embedding"])
    others = rows.drop_columns(["features", "embedding"]).to_pylist()
    given = (
        fields | {"features": vector, "descriptors": describe(vector), "embedding": embedding}
        for fields, vector, embedding in zip(others, vectors, embeddings, strict=True)
    )
    made = [
        {name: value for name, value in fields.items() if value is not None or name not in ABSENT_IF_NULL}
        for fields in given
    ]
    new: list[dict[str, Any]] = []
    changed: list[dict[str, Any]] = []
    for document in made:
        (new if document.pop("is_new") else changed).append(document)
    errors = _bulk_write(collection, [InsertOne(document) for document in new])
    # The id exists: an earlier try of this task has inserted it, or a document of another day has it. Replace it.
    changed += [new[error["index"]] for error in errors if error["code"] == DUPLICATE_KEY]
    refused = [(new[error["index"]], error) for error in errors if error["code"] == NOT_VALID]
    _keep_labels(collection, changed)
    replacements = [ReplaceOne({"_id": document["_id"]}, document, upsert=True) for document in changed]
    refused += [(changed[error["index"]], error) for error in _bulk_write(collection, replacements)]
    return [f"{document['_id']}: {error['errmsg']}" for document, error in refused]


def _keep_labels(collection: Collection[Any], changed: list[dict[str, Any]]) -> None:
    """Keep the predicted genre of a replaced document if the new one has no genre and the same features."""
    unknown = {document["_id"]: document for document in changed if document["genre"] is None}
    labelled = {"_id": {"$in": list(unknown)}, "genre_model": {"$exists": True}}
    for found in collection.find(labelled, dict.fromkeys((*LABELS, "features"), 1)) if unknown else ():
        document = unknown[found["_id"]]
        if found["features"] == document["features"]:
            document |= {name: found[name] for name in LABELS if name in found}


def _bulk_write(collection: Collection[Any], writes: list[Any]) -> list[dict[str, Any]]:
    """Write documents. Return the errors of single documents; raise any other error."""
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

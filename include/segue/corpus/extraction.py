"""Extract audio features on Spark, each file once, and keep the outcome in the lake.

    inventory ─► plan ─► _same ─► divide ─► extract_files (Python workers) ─► features, rejects (Delta, by day)

Work is committed every `plan.COMMIT_BYTES` of audio, so that a killed run goes on where it was. Within a commit
the outcome is held in a local checkpoint: both tables are written from it, and no file is decoded twice. Outcomes
of files that had none are appended; only where an earlier outcome has to go are its days replaced.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import suppress
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
from pyspark.sql import DataFrame, Row
from pyspark.sql import functions as sf
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType
from upath import UPath

from segue.audio.definition import FEATURE_VERSION
from segue.audio.hashing import content_hash
from segue.audio.isolation import IsolatedExtractor
from segue.audio.results import Rejection
from segue.corpus.days import Days
from segue.corpus.lake import Lake, versions
from segue.corpus.objects import local_copy
from segue.corpus.paths import from_text
from segue.corpus.plan import STATE, TASKS_PER_CORE, Mode, divide, passing, plan
from segue.corpus.progress import Counters, Progress
from segue.corpus.schema import EXTRACTED, INVENTORY, PARTITION, columns
from segue.corpus.tags import read_tags
from segue.errors import CorpusError

MEASURED = ("duration_s", "sample_rate", "channels", "decoder", "features")

MADE_FROM = ("inventory", "features", "rejects")
"""Tables whose versions tell whether the integrated dataset is up to date."""

SAME = "path string, mtime_ns bigint, partition_date date, known_hash string"

Batches = Iterator[pa.RecordBatch]


def run(lake: Lake, music_dir: Path | UPath, days: Days, mode: Mode) -> dict[str, Any]:
    """Bring features and rejects of some days in step with the inventory.

    Parameters
    ----------
    lake : Lake
    music_dir : Path or UPath
        Root of the files.
    days : Days
    mode : Mode

    Returns
    -------
    dict
        The summary of the job.

    Raises
    ------
    CorpusError
        If features and rejects do not add up to the inventory in the end.
    """
    started = time.monotonic()
    affected = days.among(*(lake.read(name) for name in ("inventory", "features", "rejects")))
    planned = _todo(lake, affected, mode)
    same = _same(lake, music_dir, planned)
    todo = planned[~planned["path"].isin(same["path"])].drop(columns="known_hash")
    megabytes = todo["size_bytes"].sum() / 1e6
    amount = f"{len(affected):,} partitions, {len(todo):,} files to extract, {megabytes:,.1f} MB"
    print(f"plan: {days}, {amount} (mode {mode}); {len(same):,} others hold the same bytes as before", flush=True)
    head = {"mode": str(mode), "partitions": len(affected), "extracted": len(todo), "same_bytes": len(same)}
    if mode is Mode.PING:
        return head | {"extracted": 0, "would_extract": len(todo)}
    if len(same):
        fresh = lake.spark.createDataFrame([], EXTRACTED)
        _commit(lake, fresh, set(same[PARTITION]), lake.spark.createDataFrame(same, SAME))
    extracting_s = _extract(lake, music_dir, todo) if len(todo) else 0.0
    counts = _balance(lake, affected)
    return {
        **head,
        "days": str(days),
        "lake": versions(lake.uri, *MADE_FROM),
        "skipped": counts["inventory"] - len(todo),
        **counts,
        "to_retry": _of(lake, "rejects", affected).where(passing()).count(),
        "tracks_per_s": len(todo) / extracting_s if extracting_s else 0.0,
        "megabytes_per_s": megabytes / extracting_s if extracting_s else 0.0,
        "seconds_extracting": extracting_s,
        "seconds": time.monotonic() - started,
    }


def catch_up(
    lake: Lake, music_dir: Path | UPath, days: Days, extracted: Mapping[str, Any]
) -> dict[str, Any] | None:
    """Extract what another run's inventory has found on these days since the extraction of this run.

    Parameters
    ----------
    lake : Lake
    music_dir : Path or UPath
    days : Days
    extracted : mapping of str to value
        What `run` returned.

    Returns
    -------
    dict or None
        The summary of both together; None if no other run has changed the inventory.

    Raises
    ------
    CorpusError
        As `run`.
    """
    # A lower version is that of a lake that has gone: the quality gate says so.
    if versions(lake.uri, "inventory")["inventory"] <= extracted["lake"]["inventory"]:
        return None
    print(
        "Another run has changed the inventory since the extraction: what it found is extracted now.", flush=True
    )
    later = run(lake, music_dir, days, Mode.SKIP)
    added = {
        name: extracted[name] + later[name]
        for name in ("extracted", "same_bytes", "seconds_extracting", "seconds")
    }
    megabytes = sum(each["megabytes_per_s"] * each["seconds_extracting"] for each in (extracted, later))
    seconds = added["seconds_extracting"]
    return (
        later
        | added
        | {
            "mode": extracted["mode"],
            "skipped": max(later["inventory"] - added["extracted"], 0),
            "tracks_per_s": added["extracted"] / seconds if seconds else 0.0,
            "megabytes_per_s": megabytes / seconds if seconds else 0.0,
        }
    )


def same_bytes(music_dir: Path | UPath) -> Callable[[Batches], Batches]:
    """Make the function that finds the files of one Spark task whose bytes are those that were extracted.

    Parameters
    ----------
    music_dir : Path or UPath

    Returns
    -------
    callable
        For `mapInArrow`: from batches of `SAME` to those of their rows whose file has the hash `known_hash`.
    """

    def is_same(path: str, known_hash: str) -> bool:
        with local_copy(music_dir, from_text(path)) as place, suppress(OSError), open(place, "rb", 0) as file:  # noqa: PTH123 - names that are not UTF-8
            return content_hash(file) == known_hash
        return False  # gone or not readable: the extraction says so

    def find(batches: Batches) -> Batches:
        for batch in batches:
            rows = batch.select(["path", "known_hash"]).to_pylist()
            yield batch.filter(pa.array([is_same(**row) for row in rows], pa.bool_()))

    return find


def extract_files(music_dir: Path | UPath, counters: Counters) -> Callable[[Batches], Batches]:
    """Make the function that extracts the files of one Spark task.

    Parameters
    ----------
    music_dir : Path or UPath
    counters : Counters

    Returns
    -------
    callable
        For `mapInArrow`: from batches with the columns of `schema.INVENTORY` to batches of `schema.EXTRACTED`.
    """
    # Here and not in the workers, which cannot parse Spark's types.
    schema = to_arrow_schema(StructType.fromDDL(EXTRACTED))  # type: ignore[arg-type] # fromDDL's type is too wide

    def extract(batches: Batches) -> Batches:
        for batch in batches:
            for file in batch.to_pylist():
                row = _extract_file(music_dir, file)
                counters.tracks.add(1)
                counters.rejected.add(row["reason"] is not None)
                counters.size_bytes.add(file["size_bytes"])
                yield pa.RecordBatch.from_pylist([row], schema)

    return extract


def _extract(lake: Lake, music_dir: Path | UPath, todo: pd.DataFrame) -> float:
    """Extract and commit; return the seconds of the extraction alone."""
    context = lake.spark.sparkContext
    progress = Progress(Counters.start(context), len(todo), int(todo["size_bytes"].sum()))
    extract = extract_files(music_dir, progress.counters)
    extracting_s = 0.0
    for commit in divide(todo, context.defaultParallelism):
        files = lake.spark.createDataFrame(commit[[*columns(INVENTORY), "task"]], f"{INVENTORY}, task int")
        tasks = files.repartitionById(int(commit["task"].max()) + 1, sf.col("task"))
        began = time.monotonic()
        with progress.shown():
            fresh = tasks.mapInArrow(extract, EXTRACTED).localCheckpoint()
        extracting_s += time.monotonic() - began
        save = _commit if commit["stands"].any() else _append
        save(lake, fresh, set(commit[PARTITION]))
    return extracting_s


def _extract_file(music_dir: Path | UPath, file: dict[str, Any]) -> dict[str, Any]:
    with local_copy(music_dir, from_text(file["path"])) as path:
        outcome = _extractor().extract(path)
        tags = {} if isinstance(outcome, Rejection) else read_tags(path)
    row = {name: file[name] for name in ("track_id", "path", "size_bytes", "mtime_ns", PARTITION)}
    row |= {"content_hash": outcome.content_hash, "feature_version": FEATURE_VERSION}
    if isinstance(outcome, Rejection):
        message = outcome.message.encode("utf-8", "replace").decode()
        return row | {"reason": str(outcome.reason), "message": message}
    row |= {
        name: getattr(outcome, name) for name in ("duration_s", "sample_rate", "channels", "decoder", "features")
    }
    return row | {f"tag_{name}": value for name, value in tags.items()} | {"reason": None}


@cache
def _extractor() -> IsolatedExtractor:
    """Start this Python worker's one extractor: Spark reuses workers, and a start costs seconds.

    Its child ends with the worker.
    """
    return IsolatedExtractor().__enter__()


def _todo(lake: Lake, days: Collection[date], mode: Mode) -> pd.DataFrame:
    inventory, features, rejects = (_of(lake, name, days) for name in ("inventory", "features", "rejects"))
    planned = plan(inventory, features, rejects, FEATURE_VERSION, mode)
    return planned.where("todo").select(*columns(INVENTORY), "known_hash", "stands").toPandas()


def _same(lake: Lake, music_dir: Path | UPath, planned: pd.DataFrame) -> pd.DataFrame:
    """Find the files that were only touched: another time of change, the same bytes."""
    is_touched = planned["known_hash"].notna()
    touched = planned[is_touched][columns(SAME)]
    if touched.empty:
        return touched
    megabytes = planned[is_touched]["size_bytes"].sum() / 1e6
    print(f"hashing {len(touched):,} files of another time of change, {megabytes:,.1f} MB", flush=True)
    files = lake.spark.createDataFrame(touched, SAME).repartition(
        min(len(touched), lake.spark.sparkContext.defaultParallelism * TASKS_PER_CORE)
    )
    return files.mapInArrow(same_bytes(music_dir), SAME).toPandas()


def _of(lake: Lake, name: str, days: Collection[date]) -> DataFrame:
    return lake.read(name).where(sf.col(PARTITION).isin(list(days)))


def _append(lake: Lake, fresh: DataFrame, days: Collection[date]) -> None:
    """Add the outcomes of files that have none yet.

    Rewriting the days instead would cost a first load the square of its size. A run killed between the two tables
    leaves some files without an outcome; the next run extracts them.
    """
    lake.append("features", fresh.where("reason IS NULL"), days)
    lake.append("rejects", fresh.where("reason IS NOT NULL"), days)


def _commit(lake: Lake, fresh: DataFrame, days: Collection[date], same: DataFrame | None = None) -> None:
    """Replace the partitions `days` by what stands of them, with the new times of `same`, and what is `fresh`.

    Two tables are two commits. A run killed between them leaves a file in both or in none of them; the next run
    sees to the second, and takes a file's features before its rejection.
    """
    inventory = _of(lake, "inventory", days).select(*STATE, "track_id")
    features = _standing(_of(lake, "features", days), inventory, same).join(fresh, "path", "left_anti")
    lake.replace("features", features.unionByName(fresh.where("reason IS NULL").drop("reason", "message")), days)
    rejects = _standing(_of(lake, "rejects", days), inventory, same).join(fresh, "path", "left_anti")
    rejects = rejects.join(_of(lake, "features", days), [PARTITION, "path"], "left_anti")
    lake.replace("rejects", rejects.unionByName(fresh.where("reason IS NOT NULL").select(rejects.columns)), days)


def _standing(outcomes: DataFrame, inventory: DataFrame, same: DataFrame | None) -> DataFrame:
    """Keep the outcomes whose file is still what it was, under its present track id and time of change.

    Two runs at the same time may both have appended an outcome of a file; one of them is kept.
    """
    current = outcomes.where(sf.col("feature_version") == FEATURE_VERSION).dropDuplicates([PARTITION, "path"])
    if same is not None:
        touched = same.select("path", sf.col("known_hash").alias("content_hash"), sf.col("mtime_ns").alias("now"))
        current = current.join(touched, ["path", "content_hash"], "left")
        current = current.withColumn("mtime_ns", sf.coalesce("now", "mtime_ns"))
    return current.drop("track_id").join(inventory, list(STATE)).select(outcomes.columns)


def _balance(lake: Lake, days: Collection[date]) -> dict[str, Any]:
    """Count inventory, features and rejects, and insist that they add up.

    Outcomes of files that have gone, or have another track id now, or are in both tables after a kill, are put
    right first.
    """
    counts = _count(lake, days)
    untidy = {
        row[PARTITION] for row in counts if row["files"] != row["outcomes"] or row["matching"] != row["files"]
    }
    if untidy:
        _commit(lake, lake.spark.createDataFrame([], EXTRACTED), untidy)
        counts = _count(lake, days)
    rejected: Counter[str] = Counter()
    for row in counts:
        if row["reason"] is not None:
            rejected[row["reason"]] += row["outcomes"]
    inventory = sum(row["files"] for row in counts)
    outcomes = sum(row["outcomes"] for row in counts)
    features = outcomes - rejected.total()
    if outcomes != inventory:
        raise CorpusError(
            f"{features:,} features and {rejected.total():,} rejects are not the {inventory:,} files of the "
            "inventory: files changed while the job ran. Run it again."
        )
    return {"inventory": inventory, "features": features, "rejects": rejected.total(), "rejected": dict(rejected)}


def _count(lake: Lake, days: Collection[date]) -> list[Row]:
    """Count by day and reason: files, their outcomes, and those outcomes that carry a file's path and id."""
    key = [PARTITION, "path"]
    files = _of(lake, "inventory", days).select(*key, "track_id")
    features = _of(lake, "features", days).select(*key, "track_id", sf.lit(None).cast("string").alias("reason"))
    rejects = _of(lake, "rejects", days).select(*key, "track_id", "reason")
    outcomes = (
        features.unionByName(rejects)
        .groupBy(*key)
        .agg(
            sf.count("*").alias("outcomes"),
            sf.max("reason").alias("reason"),
            sf.max("track_id").alias("outcome_id"),
        )
    )
    return (
        files.join(outcomes, key, "full")
        .groupBy(PARTITION, "reason")
        .agg(
            sf.count("track_id").alias("files"),
            sf.coalesce(sf.sum("outcomes"), sf.lit(0)).alias("outcomes"),
            sf.count_if(sf.col("outcome_id") == sf.col("track_id")).alias("matching"),
        )
        .sort(PARTITION, "reason")
        .collect()
    )

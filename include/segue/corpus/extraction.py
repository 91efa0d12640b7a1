"""Extract audio features with Spark, each file once, and store the outcomes in the lake.

    inventory ─► plan ─► divide ─► extract_files (Python workers) ─► features, rejects (Delta, by day)

The work is divided into parts, see `plan.divide`. After a kill, the next run continues from the last commit. A
checkpoint beside the tables holds the outcomes of a part. Both tables are written from it, so that no file is
decoded twice, even if the machine that decoded it is lost. While a part is committed, the next one is extracted.

- The first outcome of a file is appended.
- If a commit replaces earlier outcomes, all partitions (days) of its files are rewritten.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pyarrow as pa
from pyspark import TaskContext
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType
from upath import UPath

from segue.audio.definition import FEATURE_VERSION
from segue.audio.limits import Limits, configured
from segue.audio.results import Rejection, Track
from segue.connections.storage import local_copy
from segue.corpus import ledger, retagging
from segue.corpus.days import Days
from segue.corpus.lake import Lake
from segue.corpus.parts import hash_of, source_of, span_of, tags_of
from segue.corpus.paths import from_text
from segue.corpus.plan import TRIED_AGAIN, Mode, divide, is_whole, plan, wanted
from segue.corpus.progress import Counters, Progress
from segue.corpus.questions import rows_by_day
from segue.corpus.reports import ExtractReport, LakeVersions, PingReport, Work
from segue.corpus.schema import (
    EXTRACTED,
    INVENTORY,
    PARTITION,
    columns,
    embedding_values,
    musical_values,
    tag_values,
)
from segue.corpus.versions import lake_versions
from segue.corpus.worker import extractor
from segue.errors import ExtractionError, ServiceUnavailableError
from segue.runs.progress import spark_tasks, step

if TYPE_CHECKING:  # not in Spark's Python workers, which import this module, too
    import pandas as pd

MEASURED = ("duration_s", "sample_rate", "channels", "decoder", "audio_hash", "features")
"""Columns of `schema.EXTRACTED` that come from the outcome of a file."""

Batches = Iterator[pa.RecordBatch]


class Extraction(NamedTuple):
    """Wall time, the time of all cores, and the part of it that they spent with files, in seconds.

    And how many files were extracted by a task that ran again.
    """

    seconds: float = 0.0
    cores_s: float = 0.0
    working_s: float = 0.0
    again: int = 0


@dataclass(frozen=True)
class Planned:
    """What an extraction of some days has to do.

    Attributes
    ----------
    asked : Days
    mode : Mode
    started : float
        When the planning began, seconds of `time.monotonic`.
    days : list of date
        Days that have files or outcomes.
    todo : pandas.DataFrame
        Files to extract: columns of the inventory, and `stands` and `has_features` of `plan.plan`.
    """

    asked: Days
    mode: Mode
    started: float
    days: list[date]
    todo: pd.DataFrame

    @property
    def size_mb(self) -> float:
        """Size of the files to extract, megabytes."""
        return float(self.todo["size_bytes"].sum()) / 1e6

    @property
    def incomplete(self) -> int:
        """Number of files that have features, and are extracted for what they lack beside them."""
        return int(self.todo["has_features"].sum())


def ping(lake: Lake, days: Days) -> PingReport:
    """Report what `run` would do, without doing it.

    Parameters
    ----------
    lake, days
        As for `run`.
    """
    planned = plan_days(lake, days, Mode.PING)
    return PingReport(partitions=len(planned.days), would_extract=len(planned.todo))


def run(lake: Lake, music_dir: Path | UPath, days: Days, mode: Mode) -> ExtractReport:
    """Update the features and rejects of some days to match the inventory.

    Parameters
    ----------
    lake : Lake
    music_dir : Path or UPath
        Root of the files.
    days : Days
    mode : Mode
        `Mode.SKIP` or `Mode.FORCE`; see `ping`.

    Returns
    -------
    ExtractReport

    Raises
    ------
    CorpusError
        If features and rejects do not add up to the inventory after the extraction.
    """
    return carry_out(lake, music_dir, plan_days(lake, days, mode))


def carry_out(lake: Lake, music_dir: Path | UPath, planned: Planned) -> ExtractReport:
    """Do what `plan_days` has planned; otherwise as `run`."""
    extraction = _extract(lake, music_dir, planned.todo) if len(planned.todo) else Extraction()
    read_again = retagging.run(lake, music_dir, planned.days)
    with step("Count files and their outcomes", spark_tasks(lake.spark)):
        outcomes = ledger.balance(lake, planned.days)
    return ExtractReport(
        mode=str(planned.mode),
        days=str(planned.asked),
        partitions=len(planned.days),
        lake=lake_versions(lake.uri),
        outcomes=outcomes,
        to_retry=_to_retry(lake, planned),
        work=Work(
            extracted=len(planned.todo),
            tags_read_again=read_again,
            extracted_mb=planned.size_mb,
            extracted_again=extraction.again,
            extracting_s=extraction.seconds,
            cores_s=extraction.cores_s,
            working_s=extraction.working_s,
            seconds=time.monotonic() - planned.started,
        ),
    )


def _to_retry(lake: Lake, planned: Planned) -> int:
    """Count the files that the next run tries again although they have not changed."""
    days = set(planned.days)
    count = sum(rows for day, rows in rows_by_day(lake.uri, "rejects", TRIED_AGAIN).items() if day in days)
    if planned.incomplete:  # otherwise nothing has failed to get what it lacks, and most runs save a query
        count += ledger.of_days(lake, "features", planned.days).where(~is_whole(wanted())).count()
    return count


def catch_up(lake: Lake, music_dir: Path | UPath, days: Days, extracted: ExtractReport) -> ExtractReport | None:
    """Extract the files of these days that another run has changed in the inventory since this run's extraction.

    Parameters
    ----------
    lake : Lake
    music_dir : Path or UPath
    days : Days
    extracted : ExtractReport
        Report of this run's extraction so far.

    Returns
    -------
    ExtractReport or None
        One report of both extractions. None if no other run has changed the inventory.

    Raises
    ------
    CorpusError
        As `run`.
    """
    # A lower version means that the lake was lost and created again. The quality gate then refuses to publish.
    if lake_versions(lake.uri).inventory <= extracted.lake.inventory:
        return None
    print(
        "Another run has changed the inventory since the extraction: what it found is extracted now.", flush=True
    )
    later = run(lake, music_dir, days, Mode.SKIP)
    return later.model_copy(update={"mode": extracted.mode, "work": extracted.work + later.work})


def extract_files(music_dir: Path | UPath, counters: Counters) -> Callable[[Batches], Batches]:
    """Return the function that extracts the files of one Spark task.

    Parameters
    ----------
    music_dir : Path or UPath
    counters : Counters

    Returns
    -------
    callable
        For `mapInArrow`. It takes batches with the columns of `schema.INVENTORY` and yields batches of
        `schema.EXTRACTED`.
    """
    limits = configured()  # of the driver, so that all workers have the same
    # The driver converts the schema, since the workers cannot parse Spark's types.
    schema = to_arrow_schema(StructType.fromDDL(EXTRACTED))  # type: ignore[arg-type] # fromDDL's type is too wide

    def extract(batches: Batches) -> Batches:
        task = TaskContext.get()
        runs_again = task is not None and task.attemptNumber() > 0
        for batch in batches:
            for source, tracks in groupby(sorted(batch.to_pylist(), key=source_of), key=source_of):
                began = time.monotonic_ns()
                rows = _extract_named(music_dir, limits, source, list(tracks))
                counters.working_ns.add(time.monotonic_ns() - began)
                for row in rows:
                    counters.tracks.add(1)
                    counters.again.add(runs_again)
                    counters.rejected.add(row["reason"] is not None)
                    counters.size_bytes.add(row["size_bytes"])
                    yield pa.RecordBatch.from_pylist([row], schema)

    return extract


def _extract(lake: Lake, music_dir: Path | UPath, todo: pd.DataFrame) -> Extraction:
    """Extract and commit. A part is committed while the next one is extracted."""
    context = lake.spark.sparkContext
    progress = Progress(Counters.start(context), len(todo), int(todo["size_bytes"].sum()))
    extract = extract_files(music_dir, progress.counters)
    seconds, commit = 0.0, None
    with ThreadPoolExecutor(1, "commit") as committer:
        for part in divide(todo, context.defaultParallelism):
            files = lake.spark.createDataFrame(part[[*columns(INVENTORY), "task"]], f"{INVENTORY}, task int")
            tasks = files.repartitionById(int(part["task"].max()) + 1, sf.col("task"))
            began = time.monotonic()
            with progress.shown():
                fresh = tasks.mapInArrow(extract, EXTRACTED).checkpoint()
            seconds += time.monotonic() - began
            if commit:
                commit.result()
            commit = committer.submit(_commit, lake, fresh, part)
        if commit:
            commit.result()
    counters = progress.counters
    cores_s, working_s = seconds * context.defaultParallelism, counters.working_ns.value / 1e9
    return Extraction(seconds, cores_s, working_s, counters.again.value)


def _commit(lake: Lake, fresh: DataFrame, part: pd.DataFrame) -> None:
    # In a pool of its own, because otherwise Spark would run its tasks only after those of the extraction.
    lake.spark.sparkContext.setLocalProperty("spark.scheduler.pool", "commits")
    days = set(part[PARTITION])
    if part["has_features"].any():
        fresh = ledger.keep_features(lake, fresh, part.loc[part["has_features"], "path"].tolist(), days)
    save = ledger.replace if part["stands"].any() else ledger.append
    save(lake, fresh, days)


def _extract_named(
    music_dir: Path | UPath, limits: Limits, source: str, tracks: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    """Extract the tracks of a file.

    Damaged audio raises no error. So any error ends the job, and its message names the file.
    """
    try:
        return _extract_file(music_dir, limits, source, tracks)
    except ExtractionError:
        raise  # the child process does not start, so the file is not the cause
    except Exception as error:
        kind = (
            ServiceUnavailableError if isinstance(error, OSError) else ExtractionError
        )  # an OSError comes from the storage
        raise kind(f"The extraction ended at {source!r}: {type(error).__name__}: {error}") from error


def _extract_file(
    music_dir: Path | UPath, limits: Limits, source: str, tracks: Sequence[dict[str, Any]]
) -> list[dict[str, Any]]:
    with local_copy(music_dir, from_text(source)) as path:
        outcomes = extractor(limits).extract_spans(path, list(map(span_of, tracks)))
    return list(map(_row, tracks, outcomes))


def _row(track: dict[str, Any], outcome: Track | Rejection) -> dict[str, Any]:
    row = {name: track[name] for name in ("track_id", "path", "size_bytes", "mtime_ns", PARTITION)}
    row |= {"content_hash": hash_of(track, outcome.content_hash), "feature_version": FEATURE_VERSION}
    if isinstance(outcome, Rejection):
        message = outcome.message.encode("utf-8", "replace").decode()
        return row | {"reason": str(outcome.reason), "message": message}
    row |= {name: getattr(outcome, name) for name in MEASURED}
    row |= {"audio_hash": hash_of(track, outcome.audio_hash), "reason": None}
    row |= musical_values(outcome.musical) | embedding_values(outcome.embedding)
    return row | tag_values(tags_of(track, outcome.tags), outcome.tags_error)


def plan_days(lake: Lake, days: Days, mode: Mode) -> Planned:
    """Plan the extraction of some days, and print how much work it is."""
    started = time.monotonic()
    affected = days.among(*(rows_by_day(lake.uri, name) for name in LakeVersions.model_fields))
    with step("Find what is to do", spark_tasks(lake.spark)):
        todo = _todo(lake, affected, mode)
    planned = Planned(days, mode, started, affected, todo)
    amount = f"{len(affected):,} partitions, {len(planned.todo):,} files to extract, {planned.size_mb:,.1f} MB"
    if planned.incomplete:
        amount += f", {planned.incomplete:,} of them for their musical descriptors or embedding only"
    print(f"plan: {days}, {amount} (mode {mode})", flush=True)
    return planned


def _todo(lake: Lake, days: Collection[date], mode: Mode) -> pd.DataFrame:
    inventory, features, rejects = (ledger.of_days(lake, name, days) for name in LakeVersions.model_fields)
    planned = plan(inventory, features, rejects, wanted(), mode)
    return planned.where("todo").select(*columns(INVENTORY), "stands", "has_features").toPandas()

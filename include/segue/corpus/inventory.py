"""Keep the inventory: every audio file, its track id, and the day it entered the corpus."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple
from datetime import UTC, date, datetime
from typing import Any

import pandas as pd
from delta.tables import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from segue.audio.definition import FEATURE_VERSION
from segue.corpus import gate, sources
from segue.corpus.lake import Lake
from segue.corpus.listing import AudioFile, Listing, digest, file_id, list_audio
from segue.corpus.metadata import Metadata, misfit
from segue.corpus.plan import behind
from segue.corpus.reports import Comparison, InventoryReport, LeftOut
from segue.corpus.schema import INVENTORY, PARTITION, columns
from segue.runs.progress import Tally, spark_tasks, step
from segue.settings import Settings

IDENTITY = ("track_id", "size_bytes", "mtime_ns")
"""Columns that may change while the path of a file stays the same."""

CHANGED = " OR ".join(f"then.{name} <> now.{name}" for name in IDENTITY)

MERGED = (PARTITION, "track_id", "path", "content_hash", "feature_version")
"""Columns that a row of `tracks` takes unchanged from its row of `features`."""


def run(lake: Lake, settings: Settings, night_of: date | None) -> InventoryReport:
    """List the music, read its metadata, and update the inventory to match both.

    Parameters
    ----------
    lake : Lake
    settings : Settings
        Where the music and its metadata are.
    night_of : date or None
        The day of the nightly run. New files without a date enter on this day, late days are found, and the lake
        is vacuumed. None for any other run; new files without a date then enter today.

    Returns
    -------
    InventoryReport

    Raises
    ------
    CorpusError
        If the music or the metadata cannot be read.
    """
    today, found, tasks = datetime.now(UTC).date(), Tally("files"), spark_tasks(lake.spark)
    with step("List the music", found):
        listing = list_audio(settings.music_dir, found.through)
    source = sources.find(settings)
    print(f"music: {len(listing.files):,} files in {settings.music_dir}; metadata: {source}", flush=True)
    metadata = source.read(today)
    with step("Compare with the inventory", tasks):
        comparison = update(lake, listing, metadata, night_of or today, settings)
    _print_left_out(comparison.left_out)
    counts = (comparison.metadata, comparison.files, comparison.with_metadata)
    warning = misfit(*counts, settings.metadata_min_share)
    if warning:
        print(f"WARNING: {warning}", flush=True)
    late: list[date] = []
    if night_of:
        with step("Find late days", tasks):
            late = late_days(lake, night_of)
        with step("Delete what no version needs", tasks):
            lake.vacuum()
    return InventoryReport(
        music=str(settings.music_dir),
        source=str(source),
        found=comparison,
        metadata_warning=warning,
        late_days=tuple(late),
    )


def update(lake: Lake, listing: Listing, metadata: Metadata, seen_on: date, limits: Settings) -> Comparison:
    """Update the inventory to match the music folder.

    A file's `partition_date` is its `date_created` in the metadata table, or else `seen_on`. It is assigned when
    the file is first seen, and never changes. A file that no longer exists is removed from the inventory. A known
    file that is out of reach keeps its row, because nobody can say whether it is gone.

    Parameters
    ----------
    lake : Lake
    listing : Listing
    metadata : Metadata
    seen_on : date
        The day on which files without a date enter.
    limits : Settings
        ``gate_max_gone`` is used.

    Returns
    -------
    Comparison
        Compares the files with the inventory before the update.

    Raises
    ------
    CorpusError
        If no row of the metadata names a file.
    QualityGateError
        If so many files are gone that a disk is probably disconnected. The inventory is then unchanged.
    """
    table = lake.table("inventory")
    known = table.toDF()
    held = _held(known, listing)
    files = {file.path: file for file in (*listing.files, *held)}.values()
    located = metadata.located(file.path for file in files)
    described = located.to_spark(lake.spark)
    # Counting and merging read these rows several times. The checkpoint computes the join only once.
    rows = assign(_to_spark(lake, files), described, known, seen_on, datetime.now(UTC)).localCheckpoint()
    counts = _compare(rows, known, described)
    if counts["gone"]:
        before = counts["files"] - counts["new"] + counts["gone"]
        gate.require_presence(before, counts["new"], _gone_from(rows, known), limits)
    comparison = Comparison(
        **counts,
        metadata={**located.counts, "rows_without_file": len(located.rows) - counts["with_metadata"]},
        files_digest=digest(listing.files),
        metadata_digest=metadata.digest,
        left_out=_left_out(listing, len(held)),
    )
    if comparison.new or comparison.gone or comparison.changed:
        _merge(table, rows)
    return comparison


def late_days(lake: Lake, day: date) -> list[date]:
    """Find the days before `day` that have to be processed again.

    A day is late if files were added, changed or removed since its run, or if its run ended before the features
    were merged.

    Parameters
    ----------
    lake : Lake
        Its inventory must be up to date.
    day : date

    Returns
    -------
    list of date
        In order. A day that has never been processed is late, too.
    """
    names = ("inventory", "features", "rejects", "tracks")
    inventory, features, rejects, tracks = (
        lake.read(name).where(sf.col(PARTITION) < sf.lit(day)) for name in names
    )
    late = behind(inventory, features, rejects, FEATURE_VERSION).union(_unmerged(features, tracks))
    return sorted(row[0] for row in late.distinct().collect())


def assign(files: DataFrame, metadata: DataFrame, known: DataFrame, seen_on: date, now: datetime) -> DataFrame:
    """Assign each file its track id and its partition.

    Parameters
    ----------
    files : DataFrame
        Columns `path`, `size_bytes`, `mtime_ns`, and `file_id`: the track id of a file without metadata.
    metadata : DataFrame
        Columns of `segue.corpus.metadata.SCHEMA`.
    known : DataFrame
        The inventory so far.
    seen_on : date
        The day on which files without a date enter.
    now : datetime

    Returns
    -------
    DataFrame
        Columns of `schema.INVENTORY`, one row for each of `files`.
    """
    described = metadata.select(sf.col("file").alias("path"), "track_id", "date_created")
    earlier = known.select("path", sf.col("partition_date").alias("assigned"), "first_seen")
    return (
        files.join(described, "path", "left")
        .join(earlier, "path", "left")
        .withColumn("track_id", sf.coalesce("track_id", "file_id"))
        .withColumn("first_seen", sf.coalesce("first_seen", sf.lit(now)))
        .withColumn("partition_date", sf.coalesce("assigned", "date_created", sf.lit(seen_on)))
        .select(columns(INVENTORY))
    )


def _to_spark(lake: Lake, files: Iterable[AudioFile]) -> DataFrame:
    rows = pd.DataFrame([astuple(file) for file in files], columns=["path", "size_bytes", "mtime_ns"])
    rows["file_id"] = rows["path"].map(file_id)
    return lake.spark.createDataFrame(rows, "path string, size_bytes bigint, mtime_ns bigint, file_id string")


def _unmerged(features: DataFrame, tracks: DataFrame) -> DataFrame:
    """Find the days whose rows of `tracks` do not match their rows of `features`."""
    extracted, merged = features.select(*MERGED), tracks.select(*MERGED)
    return extracted.subtract(merged).union(merged.subtract(extracted)).select(PARTITION)


def _compare(rows: DataFrame, known: DataFrame, described: DataFrame) -> dict[str, Any]:
    """Count the files, and those that differ from the inventory so far."""
    now, then = rows.alias("now"), known.alias("then")
    row = described.select("track_id", sf.lit(True).alias("described"))
    here, there = sf.col("now.track_id").isNotNull(), sf.col("then.track_id").isNotNull()
    counts = (
        now.join(then, "path", "full")
        .join(row, sf.col("now.track_id") == row.track_id, "left")
        .agg(
            sf.count_if(here).alias("files"),
            (sf.sum("now.size_bytes") / 1e6).alias("size_mb"),
            sf.count_distinct("now.partition_date").alias("partitions"),
            sf.count_if(here & ~there).alias("new"),
            sf.count_if(there & ~here).alias("gone"),
            sf.count_if(here & there & sf.expr(CHANGED)).alias("changed"),
            sf.count_if("described").alias("with_metadata"),
        )
    )
    return counts.collect()[0].asDict()


def _held(known: DataFrame, listing: Listing) -> list[AudioFile]:
    """Return the known files that are out of reach, with their size and time from the inventory.

    A file is out of reach if it is below a folder that cannot be entered, or is now a link that leads nowhere.
    """
    out_of_reach = {file.path for file in listing.files if file.is_out_of_reach}
    if not (out_of_reach or listing.unreadable):
        return []
    rows = known.where("size_bytes > 0").select("path", "size_bytes", "mtime_ns").collect()
    return [AudioFile(*row) for row in rows if row["path"] in out_of_reach or listing.hides(row["path"])]


def _left_out(listing: Listing, held: int) -> LeftOut:
    unreadable = tuple(f"{folder}: {reason}" for folder, reason in sorted(listing.unreadable.items()))
    return LeftOut(
        unreadable=unreadable[: LeftOut.SHOWN_FOLDERS],
        unreadable_folders=len(unreadable),
        held=held,
        by_suffix=dict(listing.left_out.most_common(LeftOut.SHOWN_SUFFIXES)),
        files=listing.left_out.total(),
        system_folders=listing.system_folders,
    )


def _print_left_out(left_out: LeftOut) -> None:
    suffixes = ", ".join(f"{suffix} {files:,}" for suffix, files in left_out.by_suffix.items())
    print(f"left out: {left_out.files:,} files that are no audio ({suffixes or 'none'})", flush=True)
    if left_out.warning:
        print(f"WARNING: {left_out.warning}", flush=True)


def _gone_from(rows: DataFrame, known: DataFrame) -> dict[str, int]:
    """Count, by top folder, the files that are gone. ``.`` stands for the music folder itself."""
    top = sf.when(sf.contains("path", sf.lit("/")), sf.substring_index("path", "/", 1)).otherwise(".")
    gone = known.join(rows, "path", "left_anti").groupBy(top.alias("folder")).count()
    return {row["folder"]: row["count"] for row in gone.collect()}


def _merge(table: DeltaTable, rows: DataFrame) -> None:
    (
        table.alias("then")
        .merge(rows.alias("now"), "then.path = now.path")
        .whenMatchedUpdate(condition=CHANGED, set={name: f"now.{name}" for name in IDENTITY})
        .whenNotMatchedInsertAll()
        .whenNotMatchedBySourceDelete()
        .execute()
    )

"""Keep the inventory: every audio file, its track id, and the day it entered the corpus."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, date, datetime

import pandas as pd
from delta.tables import DeltaTable
from pyspark.sql import DataFrame
from pyspark.sql import functions as sf

from segue.corpus import gate, retagging, sheets, sources
from segue.corpus.assignment import assign, in_pandas, in_spark, unchanged
from segue.corpus.lake import Lake
from segue.corpus.listing import AudioFile, Listing, digest, list_audio
from segue.corpus.metadata import Metadata, misfit
from segue.corpus.plan import behind, wanted
from segue.corpus.recognition import follow
from segue.corpus.reports import Comparison, InventoryReport, LeftOut
from segue.corpus.schema import PARTITION
from segue.runs.progress import Tally, spark_tasks, step
from segue.settings import Settings

IDENTITY = ("track_id", "size_bytes", "mtime_ns")
"""Columns that may change while the path of a file stays the same."""

CHANGED = " OR ".join(f"then.{name} <> now.{name}" for name in (*IDENTITY, PARTITION)) + (
    " OR coalesce(then.part, '') <> now.part"
)
"""Another file may lie at the path now, so the day may change, too."""

MERGED = (
    *(PARTITION, "track_id", "path", "content_hash"),
    *("feature_version", "tags_version", "musical_version", "embedding_version"),
)
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
    if comparison.sheets.warning:
        print(f"WARNING: {comparison.sheets.warning}", flush=True)
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

    A track's `partition_date` is its `date_created` in the metadata table, or else `seen_on`. It is assigned when
    the track is first seen, and never changes. A file that no longer exists is removed from the inventory, and the
    table `departed` keeps its track. A known file that is out of reach keeps its row, because nobody can say
    whether it is gone. New and changed files are recognised by their content, see `segue.corpus.identity`.

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
    before = in_pandas(table.toDF())
    files_digest = digest((*listing.files, *listing.sheets))
    listing, divided = sheets.divide(lake, listing, before)
    held = _held(before, listing)
    files = {file.path: file for file in (*listing.files, *held)}
    gone_from = Counter(map(_top_folder, before.index.difference(list(files))))
    if gone_from:
        new = len(files) + gone_from.total() - len(before)
        gate.require_presence(len(before), new, gone_from, limits)
    located = metadata.located(dict.fromkeys(files, ""), gone=set(before["track_id"]))
    same = unchanged(before, files)
    recognised = follow(lake, listing.root, files, same, before.drop(index=same.index))
    assigned = assign(files.values(), located.rows, same, recognised, seen_on, datetime.now(UTC))
    if not assigned.equals(before):
        _merge(table, in_spark(assigned, lake.spark))
    known = same.index.union(list(recognised.tracks))
    both = assigned.index.intersection(before.index).intersection(known)
    is_changed = (assigned.loc[both, list(IDENTITY)] != before.loc[both, list(IDENTITY)]).any(axis=1)
    found = recognised.tracks.items()
    with_metadata = _count_described(assigned, located)
    return Comparison(
        files=len(assigned),
        size_mb=float(assigned["size_bytes"].sum()) / 1e6,
        partitions=assigned[PARTITION].nunique(),
        new=len(files) - len(known),
        gone=len(before) - len(same) - sum(not track.has_departed for _, track in found),
        changed=int(is_changed.sum()),
        moved=sum(track.has_departed or track.path != path for path, track in found),
        retagged=recognised.retagged,
        hashed=recognised.hashed,
        with_metadata=with_metadata,
        metadata={**located.counts, "rows_without_file": len(located.rows) - with_metadata},
        files_digest=files_digest,
        metadata_digest=metadata.digest,
        left_out=_left_out(listing, len(held)),
        sheets=divided,
        latest_day=max((*before[PARTITION], *assigned[PARTITION]), default=None),
    )


def late_days(lake: Lake, day: date) -> list[date]:
    """Find the days before `day` that have to be processed again.

    A day is late if files were added, changed or removed since its run, or if its run ended before the features
    were merged. It is also late if an older version of Segue has read its tags, or has merged it without grouping
    the tracks by recording.

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
    late = behind(inventory, features, rejects, wanted()).union(_unmerged(features, tracks))
    late = late.union(retagging.outdated_days(features))
    late = late.union(tracks.where("recording IS NULL").select(PARTITION))
    return sorted(row[0] for row in late.distinct().collect())


def _count_described(files: pd.DataFrame, metadata: Metadata) -> int:
    """Count the files that a row of the metadata describes, by its track id or its path."""
    rows = metadata.rows
    return int((files["track_id"].isin(set(rows["track_id"]) - {""}) | files.index.isin(rows["file"])).sum())


def _unmerged(features: DataFrame, tracks: DataFrame) -> DataFrame:
    """Find the days whose rows of `tracks` do not match their rows of `features`."""
    extracted, merged = features.select(*MERGED), tracks.select(*MERGED)
    return extracted.subtract(merged).union(merged.subtract(extracted)).select(PARTITION)


def _held(before: pd.DataFrame, listing: Listing) -> list[AudioFile]:
    """Return the known files that are out of reach, with their size and time from the inventory.

    A file is out of reach if it is below a folder that cannot be entered, or is now a link that leads nowhere.
    """
    out_of_reach = {file.path for file in listing.files if file.is_out_of_reach}
    if not (out_of_reach or listing.unreadable):
        return []
    rows = before[before["size_bytes"] > 0][["size_bytes", "mtime_ns", "part"]].itertuples()
    return [AudioFile(*row) for row in rows if row[0] in out_of_reach or listing.hides(row[0])]


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


def _top_folder(path: str) -> str:
    """Return the first folder of a path; ``.`` stands for the music folder itself."""
    folder, slash, _ = path.partition("/")
    return folder if slash else "."


def _merge(table: DeltaTable, rows: DataFrame) -> None:
    (
        table.alias("then")
        .merge(rows.alias("now"), "then.path = now.path")
        .whenMatchedUpdateAll(condition=CHANGED)
        .whenNotMatchedInsertAll()
        .whenNotMatchedBySourceDelete()
        .execute()
    )

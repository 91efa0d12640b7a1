"""Recognise new and changed files by their content, and let the outcomes of known tracks follow their files.

    files ─► hash_files (Python workers) ─► identity.recognise ─► features, rejects (Delta), with the new path

Each write may be repeated, and rows are found by track id. So if a run is killed before it has updated the
inventory, the next run recognises the same tracks again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf
from pyspark.sql.pandas.types import to_arrow_schema
from pyspark.sql.types import StructType
from upath import UPath

from segue.audio.hashing import content_hash
from segue.audio.results import Rejection
from segue.connections.storage import local_copy
from segue.corpus.identity import Absent, Content, recognise
from segue.corpus.lake import Lake
from segue.corpus.listing import AudioFile
from segue.corpus.parts import hash_of, source_of, tags_of
from segue.corpus.paths import from_text
from segue.corpus.plan import TASKS_PER_CORE
from segue.corpus.schema import DEPARTED, FEATURES, PARTITION, TAGS, columns, tag_values
from segue.corpus.worker import extractor

if TYPE_CHECKING:  # not in Spark's Python workers, which import this module, too
    import pandas as pd

HASHED = f"path string, content_hash string, audio_hash string, {TAGS}"
"""Hashes and tags of a file. `content_hash` is null if the file cannot be read. `audio_hash` and the tags are null
if the bytes are known."""

PRESENT = f"track_id string, size_bytes bigint, mtime_ns bigint, {HASHED}"
"""A known track, and the present state of its file."""

STATE = ("path", "size_bytes", "mtime_ns", "content_hash")
"""Columns that a row of outcomes takes from `PRESENT`. It takes the others only if they were read."""

HASHES = ("content_hash", "audio_hash")

Batches = Iterator[pa.RecordBatch]


@dataclass(frozen=True)
class Hashed(Content):
    """A file that was read.

    Attributes
    ----------
    tags : mapping of str to value
        Columns of `schema.TAGS`.
    """

    tags: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Recognised:
    """The files that are known tracks, although they are new or have changed.

    Attributes
    ----------
    tracks : dict of str to Absent
        Track by path of the file.
    without_file : collection of str
        Ids of the tracks that were not found.
    hashed : int
        Number of files that were read and hashed.
    retagged : int
        Number of files with other bytes and the same audio.
    """

    tracks: Mapping[str, Absent] = field(default_factory=dict)
    without_file: Collection[str] = ()
    hashed: int = 0
    retagged: int = 0


def follow(
    lake: Lake, music_dir: Path | UPath, files: Mapping[str, AudioFile], same: pd.DataFrame, absent: pd.DataFrame
) -> Recognised:
    """Find the tracks of new and changed files, and update the outcomes of those whose content is known.

    A new file is read only if some track is without its file.

    Parameters
    ----------
    lake : Lake
    music_dir : Path or UPath
        Root of the files.
    files : mapping of str to AudioFile
        All files of the corpus by path.
    same, absent : pandas.DataFrame
        The inventory so far, as `segue.corpus.assignment.in_pandas` reads it: rows of files that have not changed,
        and all others.

    Returns
    -------
    Recognised
    """
    tracks = _absent_tracks(lake, absent, {*same["track_id"], *absent["track_id"]})
    known_bytes = {track.content_hash for track in tracks if track.content_hash}
    arrived = files.keys() - set(same.index) if known_bytes else files.keys() & set(absent.index)
    hashed = _hash(lake, music_dir, [files[path] for path in sorted(arrived)], known_bytes)
    found = recognise(hashed.values(), tracks)
    known = {path: track for path, track in found.items() if track.is_of(hashed[path])}
    if known:
        _carry(lake, [(track.track_id, files[path], hashed[path]) for path, track in known.items()])
    found_ids = {track.track_id for track in found.values()}
    gone = absent[~absent["track_id"].isin(found_ids)]
    if len(gone):
        _depart(lake, gone)
    retagged = sum(track.content_hash != hashed[path].content_hash for path, track in known.items())
    return Recognised(found, {track.track_id for track in tracks} - found_ids, len(hashed), retagged)


def hash_files(music_dir: Path | UPath, known_bytes: Collection[str]) -> Callable[[Batches], Batches]:
    """Return the function that hashes the files of one Spark task.

    Parameters
    ----------
    music_dir : Path or UPath
    known_bytes : collection of str
        Content hashes of known tracks. The audio of other files is hashed, and their tags are read.

    Returns
    -------
    callable
        For `mapInArrow`. It takes batches with the columns `path` and `part`, and yields batches of `HASHED`. A
        file is read once for all of its tracks in a batch.
    """
    schema = to_arrow_schema(StructType.fromDDL(HASHED))  # type: ignore[arg-type] # fromDDL's type is too wide

    def hash_file(source: str, tracks: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
        with local_copy(music_dir, from_text(source)) as place:
            try:
                with open(place, "rb", 0) as file:  # noqa: PTH123 - names that are not UTF-8
                    of_bytes = content_hash(file)
            except OSError:
                return [{"path": track["path"]} for track in tracks]  # the extraction will reject it
            rows = [{"path": track["path"], "content_hash": hash_of(track, of_bytes)} for track in tracks]
            if of_bytes in known_bytes and not any(track["part"] for track in tracks):
                return rows  # but the tags of parts are those of a sheet, which may have changed
            found = extractor().read_tags(place)
        if isinstance(found, Rejection):
            return rows
        return [
            row
            | tag_values(tags_of(track, found.texts), found.error)
            | {"audio_hash": hash_of(track, found.audio_hash)}
            for track, row in zip(tracks, rows, strict=True)
        ]

    def hash_all(batches: Batches) -> Batches:
        for batch in batches:
            by_file = groupby(sorted(batch.to_pylist(), key=source_of), key=source_of)
            rows = [row for source, tracks in by_file for row in hash_file(source, list(tracks))]
            yield pa.RecordBatch.from_pylist(rows, schema)

    return hash_all


def _absent_tracks(lake: Lake, absent: pd.DataFrame, ids: Collection[str]) -> list[Absent]:
    """Return the tracks without their file: those of the inventory, and those whose file was gone before."""
    departed = lake.read("departed").select(
        "track_id", "path", *HASHES, PARTITION, sf.unix_micros("first_seen").alias("first_seen_us")
    )
    tracks = [
        Absent(**row.asDict(), has_departed=True) for row in departed.collect() if row["track_id"] not in ids
    ]
    if absent.empty:
        return tracks
    hashes = {row["track_id"]: row.asDict() for row in _outcomes(lake).select("track_id", *HASHES).collect()}
    rows = absent[["track_id", PARTITION, "first_seen_us"]].itertuples()
    return tracks + [
        Absent(path, partition_date=day, first_seen_us=seen, **hashes.get(track_id, {"track_id": track_id}))
        for path, track_id, day, seen in rows
    ]


def _hash(
    lake: Lake, music_dir: Path | UPath, files: Sequence[AudioFile], known_bytes: Collection[str]
) -> dict[str, Hashed]:
    if not files:
        return {}
    print(f"hashing {len(files):,} files, {sum(file.size_bytes for file in files) / 1e6:,.1f} MB", flush=True)
    tasks = min(len(files), lake.spark.sparkContext.defaultParallelism * TASKS_PER_CORE)
    tracks = [(file.path, file.part, source_of(asdict(file))) for file in files]
    listed = lake.spark.createDataFrame(tracks, "path string, part string, source string")
    by_file = listed.repartition(tasks, "source")
    hashed = by_file.mapInArrow(hash_files(music_dir, known_bytes), HASHED).toArrow().to_pylist()
    names = columns(TAGS)
    return {
        row["path"]: Hashed(
            **{name: row[name] for name in row if name not in names}, tags={n: row[n] for n in names}
        )
        for row in hashed
    }


def _carry(lake: Lake, present: Iterable[tuple[str, AudioFile, Hashed]]) -> None:
    """Update the outcomes of tracks to the present state of their files. Bring back those of departed tracks."""
    rows = [
        {"track_id": track_id, **asdict(file), **vars(content), **content.tags}
        for track_id, file, content in present
    ]
    files = lake.spark.createDataFrame(
        [tuple(row.get(name) for name in columns(PRESENT)) for row in rows], PRESENT
    )
    features = lake.read("features")
    departed = lake.read("departed").where("features IS NOT NULL").select(columns(FEATURES))
    known = features.unionByName(departed.join(features, "track_id", "left_anti"))
    lake.upsert("features", _updated(known, files))
    lake.upsert("rejects", _updated(lake.read("rejects"), files))


def _updated(outcomes: DataFrame, files: DataFrame) -> DataFrame:
    """Return the outcomes of tracks with the present state of their files."""
    taken: dict[str, Column] = {name: sf.col(f"now.{name}") for name in STATE}
    is_read = sf.col("now.audio_hash") > ""
    for name in ("audio_hash", *columns(TAGS)) if "audio_hash" in outcomes.columns else ():
        taken[name] = sf.when(is_read, sf.col(f"now.{name}")).otherwise(sf.col(f"then.{name}"))
    if "audio_hash" in taken:
        taken["audio_hash"] = sf.coalesce(taken["audio_hash"], sf.col("now.audio_hash"))
    joined = outcomes.alias("then").join(files.alias("now"), "track_id")
    chosen = [taken.get(name, sf.col(name)).alias(name) for name in outcomes.columns]
    return joined.select(chosen).dropDuplicates(["track_id"]).checkpoint()


def _depart(lake: Lake, gone: pd.DataFrame) -> None:
    """Keep the outcomes of tracks whose file is gone, so that they are the same tracks when it comes back."""
    seen = lake.spark.createDataFrame(gone[["track_id", "first_seen_us"]], "track_id string, first_seen_us bigint")
    known = _outcomes(lake).where("content_hash IS NOT NULL").join(seen, "track_id")
    known = known.withColumn("first_seen", sf.timestamp_micros("first_seen_us"))
    lake.upsert("departed", known.select(columns(DEPARTED)).dropDuplicates(["track_id"]))


def _outcomes(lake: Lake) -> DataFrame:
    """Return features and rejects as one table, with nulls where a reject has no such column."""
    rejects = lake.read("rejects").drop("reason", "message")
    return rejects.unionByName(lake.read("features"), allowMissingColumns=True)

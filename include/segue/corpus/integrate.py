"""Merge features, metadata and tags into the integrated dataset, clean it, and report what cleaning did.

    features ─┐
    metadata ─┴► merge ─► rules (a track at a time) ─► recordings, FLAGS (whole corpus) ─► tracks (Delta, by day)

A copy or an outlier can be found only by comparison with the whole corpus. So recordings and flags read names and
five numbers of every track. Only the requested days are written, and tracks of other days that now belong to
another recording.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import date
from functools import reduce
from typing import Any

from pyspark.sql import Column, DataFrame
from pyspark.sql import functions as sf

from segue.audio.definition import FEATURE_VERSION, N_FEATURES
from segue.balance import class_weights
from segue.corpus import recordings
from segue.corpus.days import Days
from segue.corpus.drift import PROBABILITIES, genre_shares
from segue.corpus.flags import DESCRIPTORS, FLAGS
from segue.corpus.lake import Lake
from segue.corpus.metadata import DESCRIPTIVE, Metadata
from segue.corpus.questions import ids_by_path, rows_by_day
from segue.corpus.reports import NO_GENRE, CleaningReport, DayCounts, Measured
from segue.corpus.rules import Rule, note, rules
from segue.corpus.schema import TRACKS, columns
from segue.runs.progress import spark_tasks, step

VECTORS = ("features", "embedding")
"""Columns that cleaning does not need. They are large, so it runs without them."""

IMPORTANT = ("title", "artist", "genre", "language")
"""Columns whose share of nulls is reported."""

SHOWN_DAYS = 31
"""Largest number of days whose counts a report lists. For a longer range, it lists only the worst days."""

COUNTED = {"files": "inventory", "features": "features", "rejects": "rejects", "tracks": "tracks"}
"""Tables of the lake by the field of `DayCounts` that counts their rows."""


def run(lake: Lake, metadata: Metadata, days: Days) -> CleaningReport:
    """Write the integrated dataset of some days.

    Parameters
    ----------
    lake : Lake
    metadata : Metadata
    days : Days

    Returns
    -------
    CleaningReport
    """
    started, tasks = time.monotonic(), spark_tasks(lake.spark)
    features = lake.read("features").where(sf.col("feature_version") == FEATURE_VERSION)
    affected = days.among(*(rows_by_day(lake.uri, name) for name in ("inventory", "features", "tracks")))
    in_range = [day for day in affected if day not in days.late]
    if affected:
        with step("Merge and clean", tasks):
            ids = ids_by_path(lake.uri)
            cleaned = clean(features, metadata.located(ids).to_spark(lake.spark), metadata.tops)
            vectors = features.where(days.condition).select("track_id", *VECTORS)
            tracks = cleaned.where(days.condition).join(vectors, "track_id").select(columns(TRACKS))
        with step("Write the tracks", tasks):
            lake.replace("tracks", tracks, affected)
            regroup(lake, cleaned, days)
    with step("Count and measure", tasks):
        counts = _count(lake, affected)
        measured = measure(lake.read("tracks").where(days.condition))
    return CleaningReport(
        asked_from=days.first,
        asked_to=days.last,
        first_day=min(in_range, default=None),
        last_day=max(in_range, default=None),
        late_days=days.late,
        partitions=len(affected),
        metadata_digest=metadata.digest,
        counts=DayCounts(**{name: sum(getattr(each, name) for each in counts.values()) for name in COUNTED}),
        days={str(day): counts[day] for day in _worst(counts)},
        measured=measured,
        seconds=time.monotonic() - started,
    )


def clean(features: DataFrame, metadata: DataFrame, tops: Mapping[str, str]) -> DataFrame:
    """Merge features with metadata, clean the result, group it by recording, and flag it.

    Parameters
    ----------
    features : DataFrame
        `schema.FEATURES` of the whole corpus.
    metadata : DataFrame
        `segue.corpus.metadata.SCHEMA`.
    tops : mapping of str to str
        As in `segue.corpus.metadata.Metadata`.

    Returns
    -------
    DataFrame
        Columns of `schema.TRACKS` except `VECTORS`. One row for each of `features`.
    """
    cleaned = _apply(rules(tops), merge(features, metadata)).checkpoint()
    flagged = _apply(FLAGS, recordings.group(cleaned, features))
    return flagged.select([name for name in columns(TRACKS) if name not in VECTORS]).checkpoint()


def regroup(lake: Lake, cleaned: DataFrame, days: Days) -> None:
    """Update `recording` and `flags` of tracks of other days that have another recording now.

    For example, a track of these days joins two groups, or the first track of a group is gone. Rows of an older
    lake are left to the nightly run, which processes their days again.

    Parameters
    ----------
    lake : Lake
    cleaned : DataFrame
        The whole corpus, as `clean` returns it.
    days : Days
        Days that have been written.
    """
    others = lake.read("tracks").where(~days.condition)
    now = cleaned.select("track_id", *(sf.col(name).alias(f"now_{name}") for name in ("recording", "flags")))
    known = others.select("track_id", "recording")
    moved = known.join(now, "track_id").where("recording <> now_recording").drop("recording").checkpoint()
    if not moved.isEmpty():
        fresh = {name: sf.col(f"now_{name}") for name in ("recording", "flags")}
        rows = others.join(moved, "track_id").withColumns(fresh).select(columns(TRACKS))
        lake.upsert("tracks", rows.checkpoint())


def merge(features: DataFrame, metadata: DataFrame) -> DataFrame:
    """Join the metadata to the features by track id, or else by content. Keep only `DESCRIPTORS` of the vector.

    If no row of the metadata has the id of a track, the track takes a row with its `content_hash`, or the row of a
    file with the same bytes. So a file that was moved keeps its metadata, and a copy gets those of the original.

    Parameters
    ----------
    features, metadata : DataFrame
        As for `clean`.

    Returns
    -------
    DataFrame
        Metadata columns have the prefix ``meta_``. `flags` is an empty array. `changes` has the code
        ``metadata_by_content`` if the track took its row by content, and is empty otherwise.
    """
    stated = sf.struct(*(sf.col(name).alias(f"meta_{name}") for name in DESCRIPTIVE))
    rows_of = metadata.select("track_id", stated.alias("stated"), sf.lower(sf.trim("content_hash")).alias("named"))
    hashes = features.select("track_id", "content_hash")
    content = sf.coalesce(sf.nullif("named", sf.lit("")), sf.col("content_hash")).alias("content_hash")
    of_content = (
        rows_of.join(hashes, "track_id", "left")
        .select("track_id", "stated", content)
        .where("content_hash IS NOT NULL")
        .groupBy("content_hash")
        .agg(sf.min_by("stated", "track_id").alias("of_content"))
    )
    descriptors = {name: sf.get("features", sf.lit(position)) for name, position in DESCRIPTORS.items()}
    empty = sf.array().cast("array<string>")
    rows = features.withColumns(descriptors).drop(*VECTORS).withColumns({"changes": empty, "flags": empty})
    joined = rows.join(rows_of.drop("named"), "track_id", "left").join(of_content, "content_hash", "left")
    is_by_content = sf.isnull("stated") & sf.isnotnull("of_content")
    noted = note(joined, {"metadata_by_content": is_by_content})
    return noted.select("*", sf.coalesce("stated", "of_content").alias("meta")).select(
        *rows.columns, *(f"meta.meta_{name}" for name in DESCRIPTIVE)
    )


def measure(tracks: DataFrame) -> Measured:
    """Count the changes that cleaning made, and measure what the quality gate checks.

    Parameters
    ----------
    tracks : DataFrame
        Rows of `schema.TRACKS`.

    Returns
    -------
    Measured
        It has the quantiles of `DESCRIPTORS`.
    """
    infinite, not_a_number = sf.lit(float("inf")), sf.lit(float("nan")).cast("float")
    finite = (sf.array_max("features") < infinite) & (sf.array_min("features") > -infinite)
    # `array_contains` is false only if the vector has neither a NaN nor a null. A lambda over its 518 values would
    # take ten times as long.
    finite &= ~sf.array_contains("features", not_a_number)
    sound = (sf.size("features") == N_FEATURES) & finite
    measured = tracks.agg(
        sf.count("*").alias("tracks"),
        sf.count_if(~sf.coalesce(sound, sf.lit(False))).alias("bad_vectors"),
        sf.min("duration_s").alias("shortest_s"),
        sf.max("duration_s").alias("longest_s"),
        sf.struct(*(sf.count_if(sf.col(name).isNull()).alias(name) for name in IMPORTANT)).alias("null"),
        sf.struct(*(_quantiles(position).alias(name) for name, position in DESCRIPTORS.items())).alias(
            "quantiles"
        ),
        sf.struct(*(_count_flagged(kind).alias(kind) for kind in ("duplicate", "outlier"))).alias("flagged"),
    )
    codes = {"flags": sf.col("flags"), "changes": sf.col("changes"), "genres": sf.array(sf.col("genre"))}
    # One array instead of a union, because each table of a union would read all files again.
    exploded = tracks.select(sf.inline(sf.concat(*(_named(kind, code) for kind, code in codes.items()))))
    by_code = exploded.groupBy("kind", "col").agg(sf.count("*").alias("rows"))
    counted: dict[str, dict[str, int]] = defaultdict(dict)
    for row in by_code.sort("kind", sf.desc("rows"), "col").collect():
        counted[row["kind"]][row["col"] or NO_GENRE] = row["rows"]
    return Measured(
        # A separate query: in one query with the quantiles, Spark would keep their sketches for each track.
        distinct_tracks=tracks.select("track_id").distinct().count(),
        **measured.collect()[0].asDict(recursive=True),
        **{kind: counted[kind] for kind in codes},
        genre_weights=class_weights(genre_shares(counted["genres"])),
    )


def _apply(rules: Iterable[Rule], rows: DataFrame) -> DataFrame:
    return reduce(lambda so_far, rule: rule(so_far), rules, rows)


def _named(kind: str, codes: Column) -> Column:
    return sf.transform(codes, lambda code: sf.struct(sf.lit(kind).alias("kind"), code.alias("col")))


def _quantiles(position: int) -> Any:
    return sf.percentile_approx(sf.get("features", sf.lit(position)).cast("double"), list(PROBABILITIES), 1_000)


def _count_flagged(kind: str) -> Any:
    return sf.count_if(sf.exists("flags", lambda each: each.startswith(kind)))


def _count(lake: Lake, days: list[date]) -> dict[date, DayCounts]:
    """Count the rows of each day in the tables that must agree."""
    counted = {name: rows_by_day(lake.uri, table) for name, table in COUNTED.items()}
    return {day: DayCounts(**{name: rows.get(day, 0) for name, rows in counted.items()}) for day in days}


def _worst(counts: Mapping[date, DayCounts]) -> list[date]:
    """Return the worst days, sorted by date.

    Days whose tables disagree are worst, then those with the largest shares of rejected files.
    """
    by_badness = sorted(counts, key=lambda day: (counts[day].add_up, -counts[day].rejected_share))
    return sorted(by_badness[:SHOWN_DAYS])

"""Group the tracks that are the same recording.

    tracks ─► keys: hashes, ids, names ─► neighbours within a key are compared (Python workers) ─► groups

Tracks are compared only with tracks that share a key with them, and only with the nearest of these by duration. So
the work grows with the number of tracks, not with its square.

- The same bytes, or the same audio without the tags, are the same recording.
- The same recording MBID or ISRC is the same recording if duration or title agree, too. Some collections have one
  id on all tracks of an album.
- The same artist and title, and a like duration, are the same recording if the features are nearly the same, or
  the AcoustID is. The title includes suffixes such as "(Live)" and "- Remastered 2011". If other ids differ, the
  sound does not count.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import Column, DataFrame, Window
from pyspark.sql import functions as sf
from pyspark.sql.pandas.functions import pandas_udf
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from segue.audio.definition import N_FEATURES
from segue.audio.likeness import is_same_sound
from segue.corpus.rules import TOLERANCE_S, TOLERANCE_SHARE
from segue.corpus.schema import PARTITION, columns
from segue.tracks import names

EVIDENCE: Final = ("content", "audio", "mbid", "isrc", "sound")
"""What shows that two tracks are the same recording, the strongest first."""

IDS: Final = ("mbid", "isrc")

COMPARED: Final = 64
"""A track is compared with at most this many tracks of the same key, the next longer ones."""

PAIRS_AT_ONCE: Final = 4_096

COMPARABLE: Final = (
    "track_id string, day int, duration_s double, kind int, key bigint,"
    " title bigint, mbid bigint, isrc bigint, acoustid bigint"
)
"""A track with one of its keys. `kind` is the position in `EVIDENCE`. `title`, the ids and `key` are hashes. Those
of unknown values are null."""

MEMBERS: Final = "track_id string, first string, day int, kind int"
"""A track of a group, and the first track of it by duration. `day` is in days since 1970."""

Batches = Iterator[pa.RecordBatch]


def group(rows: DataFrame, features: DataFrame) -> DataFrame:
    """Add the column `recording`, and flag copies.

    Parameters
    ----------
    rows : DataFrame
        Tracks of the whole corpus, as `segue.corpus.rules` leave them.
    features : DataFrame
        `schema.FEATURES` of the same tracks.

    Returns
    -------
    DataFrame
        `recording` is the id of the first track of the recording, by day and id. The other tracks get the flag
        ``duplicate:<evidence>``, with the strongest of `EVIDENCE`.
    """
    copies = rows.sparkSession.createDataFrame(merge(compare(rows, features).toArrow()))
    flag = sf.when(sf.isnotnull("evidence"), sf.array(sf.concat(sf.lit("duplicate:"), "evidence")))
    return (
        rows.join(copies, "track_id", "left")
        .withColumn("recording", sf.coalesce("recording", "track_id"))
        .withColumn("flags", sf.concat("flags", sf.coalesce(flag, sf.array().cast("array<string>"))))
        .drop("evidence")
    )


def compare(rows: DataFrame, features: DataFrame) -> DataFrame:
    """Compare the tracks that share a key.

    Parameters
    ----------
    rows, features : DataFrame
        As for `group`.

    Returns
    -------
    DataFrame
        `MEMBERS`. A track occurs once for each key by which it belongs to a group.
    """
    within = Window.partitionBy("key")
    shared = _with_keys(rows).withColumn("tracks", sf.count("*").over(within)).where("tracks > 1")
    shared = shared.select(columns(COMPARABLE)).localCheckpoint()
    sound = EVIDENCE.index("sound")
    heard = features.join(shared.where(sf.col("kind") == sound).select("track_id"), "track_id", "left_semi")
    vectors = heard.select("track_id", sf.lit(sound).alias("kind"), "features")
    compared = shared.join(vectors, ["track_id", "kind"], "left").select(*columns(COMPARABLE), "features")
    sorted_ = compared.repartition("key").sortWithinPartitions("key", "duration_s", "track_id")
    return sorted_.mapInArrow(_compare_blocks, MEMBERS)


def find_groups(rows: pa.Table) -> NDArray[np.int64]:
    """Group the tracks of some keys.

    Parameters
    ----------
    rows : pyarrow.Table
        `COMPARABLE` and `features`, sorted by key, duration and track id.

    Returns
    -------
    ndarray of int, shape (n_rows,)
        Row of the first track of each track's group. A track without copies is its own first.
    """
    values = {name: rows.column(name).to_numpy() for name in columns(COMPARABLE)[2:]}  # NaN where null
    key, groups = values["key"], np.arange(len(rows))
    for apart in range(1, min(COMPARED, len(rows) - 1) + 1):
        one, other = np.arange(len(rows) - apart), np.arange(apart, len(rows))
        shared = key[one] == key[other]
        if not shared.any():
            break
        shared &= groups[one] != groups[other]
        one, other = one[shared], other[shared]
        same = _is_same(rows, values, one, other)
        groups = _joined(groups, one[same], other[same])
    return groups


def _is_same(
    rows: pa.Table, values: dict[str, NDArray[Any]], one: NDArray[np.int64], other: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """Compare pairs of rows with the same key. The second row of each pair is not shorter."""

    def equal(name: str) -> NDArray[np.bool_]:
        return np.asarray(values[name][one] == values[name][other])

    def differ(name: str) -> NDArray[np.bool_]:
        known = ~np.isnan(values[name][one]) & ~np.isnan(values[name][other])
        return known & ~equal(name)

    kind, longer = values["kind"][one], values["duration_s"][other]
    is_sound = kind == EVIDENCE.index("sound")
    is_id = np.isin(kind, [EVIDENCE.index(name) for name in IDS])
    is_like = longer - values["duration_s"][one] <= np.maximum(TOLERANCE_S, TOLERANCE_SHARE * longer)
    same = ~is_sound & (~is_id | is_like | equal("title"))
    to_compare = is_sound & is_like & ~differ("mbid") & ~differ("isrc")
    same |= to_compare & equal("acoustid")
    to_hear = np.flatnonzero(to_compare & ~same)
    same[to_hear] = _same_sound(rows, one[to_hear], other[to_hear])
    return same


def merge(members: pa.Table) -> pa.Table:
    """Join groups that have a track in common, and find the first track of each.

    Parameters
    ----------
    members : pyarrow.Table
        Rows of `MEMBERS`.

    Returns
    -------
    pyarrow.Table
        ``track_id``, ``recording`` and ``evidence`` of every track that is not the first of its recording.
    """
    found = members.to_pandas()
    ids = pd.Index(np.unique(found["track_id"]))
    one, other = ids.get_indexer(found["track_id"]), ids.get_indexer(found["first"])
    groups = _joined(np.arange(len(ids)), one, other)
    tracks = found.groupby("track_id").agg(day=("day", "min"), kind=("kind", "min")).reindex(ids)
    tracks["group"] = groups
    firsts = tracks.reset_index(names="track_id").sort_values(["day", "track_id"]).groupby("group")["track_id"]
    tracks["recording"] = tracks["group"].map(firsts.first())
    copies = tracks[tracks["recording"] != tracks.index]
    return pa.table(
        {
            "track_id": pa.array(copies.index, pa.string()),
            "recording": pa.array(copies["recording"], pa.string()),
            "evidence": pa.array([EVIDENCE[kind] for kind in copies["kind"]], pa.string()),
        }
    )


def _with_keys(rows: DataFrame) -> DataFrame:
    """Return `COMPARABLE` of all tracks: a row for each key of a track."""

    # Inside the function, since Spark parses the type of the result when it sees it.
    @pandas_udf("title string, forms array<string>")  # type: ignore[call-overload, untyped-decorator] # as rules._tidy
    def read(artists: pd.Series, titles: pd.Series) -> pd.DataFrame:
        return pd.DataFrame(map(_names_of, artists, titles), columns=["title", "forms"])

    named = rows.withColumn("named", read("artist", "title"))
    keys = {
        "content": sf.array("content_hash"),
        "audio": sf.array(sf.nullif("audio_hash", sf.lit(""))),
        "mbid": sf.array("recording_mbid"),
        "isrc": sf.array("isrc"),
        "sound": sf.col("named.forms"),
    }
    hashed = {"title": "named.title", "mbid": "recording_mbid", "isrc": "isrc", "acoustid": "acoustid"}
    return named.select(
        "track_id",
        sf.unix_date(PARTITION).alias("day"),
        "duration_s",
        *(sf.when(sf.isnotnull(value), sf.xxhash64(value)).alias(name) for name, value in hashed.items()),
        sf.inline(sf.concat(*(_keys(kind, values) for kind, values in keys.items()))),
    )


def _keys(kind: str, values: Column) -> Column:
    key = sf.lit(EVIDENCE.index(kind)).alias("kind")
    known = sf.filter(values, lambda value: sf.isnotnull(value))
    return sf.transform(known, lambda value: sf.struct(key, sf.xxhash64(sf.lit(kind), value).alias("key")))


def _names_of(artist: str | None, title: str | None) -> tuple[str | None, list[str]]:
    """Return the title without suffixes of releases, and a key for each form of the artist."""
    found = names.recording(artist, title) if artist and title else None
    return (found[0], [f"{form}\n{found[0]}" for form in sorted(found[1])]) if found else (None, [])


def _compare_blocks(batches: Batches) -> Batches:
    """Compare the tracks of a Spark task, key by key. The rows are sorted by key."""
    left: list[pa.RecordBatch] = []
    for batch in batches:
        if not batch.num_rows:
            continue
        keys = batch.column("key").to_numpy()
        start = int(np.searchsorted(keys, keys[-1]))  # the last key may continue in the next batch
        if start or (left and left[-1].column("key")[-1].as_py() != keys[-1]):
            yield from _members([*left, batch.slice(0, start)])
            left = []
        left.append(batch.slice(start))
    if left:
        yield from _members(left)


def _members(batches: list[pa.RecordBatch]) -> Batches:
    rows = pa.Table.from_batches(batches)
    groups = find_groups(rows)
    in_group = np.flatnonzero(np.bincount(groups, minlength=len(groups))[groups] > 1)
    ids = rows.column("track_id")
    found = [
        ids.take(in_group),
        ids.take(groups[in_group]),
        *(rows.column(n).take(in_group) for n in ("day", "kind")),
    ]
    yield from pa.table(found, names=columns(MEMBERS)).to_batches()


def _same_sound(rows: pa.Table, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    def vectors(of: NDArray[np.int64]) -> NDArray[np.float32]:
        values = rows.column("features").take(of).combine_chunks().flatten().to_numpy()
        return np.asarray(values, np.float32).reshape(-1, N_FEATURES)

    starts = range(0, len(one), PAIRS_AT_ONCE)
    pairs = ((vectors(each[start : start + PAIRS_AT_ONCE]) for each in (one, other)) for start in starts)
    return np.concatenate([np.empty(0, bool), *(is_same_sound(*pair) for pair in pairs)])


def _joined(groups: NDArray[np.int64], one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join the groups of pairs of rows. Each row gets the first row of its group."""
    if not len(one):
        return groups
    rows = np.arange(len(groups))
    start, end = np.concatenate([rows, one]), np.concatenate([groups, other])
    pairs = sparse.coo_matrix((np.ones(len(start), bool), (start, end)), shape=(len(groups), len(groups)))
    _, labels = connected_components(pairs, directed=False)
    _, first = np.unique(labels, return_index=True)
    return np.asarray(first[labels])

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

import hashlib
from collections.abc import Iterator
from typing import Any, Final

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyspark.sql import DataFrame, Window
from pyspark.sql import functions as sf
from pyspark.sql.pandas.types import from_arrow_schema

from segue.audio.definition import N_FEATURES
from segue.audio.likeness import is_same_sound
from segue.corpus.flags import flag
from segue.corpus.rules import TOLERANCE_S, TOLERANCE_SHARE
from segue.corpus.schema import PARTITION
from segue.tracks import names

EVIDENCE: Final = ("content", "audio", "mbid", "isrc", "sound")
"""What shows that two tracks are the same recording, the strongest first."""

IDS: Final = ("mbid", "isrc")

COMPARED: Final = 64
"""A track is compared with at most this many tracks of the same key, the next longer ones."""

PAIRS_AT_ONCE: Final = 4_096

NAMED: Final = (
    *("track_id", "duration_s", "sample_rate"),
    *("content_hash", "audio_hash", "recording_mbid", "isrc", "acoustid"),
)
"""Columns of a track that are read, besides artist, title and day."""

COMPARABLE: Final = pa.schema(
    [
        ("track_id", pa.string()),
        ("day", pa.int32()),
        ("duration_s", pa.float64()),
        ("sample_rate", pa.int32()),
        ("kind", pa.int32()),
        *((name, pa.int64()) for name in ("key", "title", *IDS, "acoustid")),
    ]
)
"""A track with one of its keys. `day` is in days since 1970, and `kind` is the position in `EVIDENCE`. `key`,
`title` and the ids are hashes. Those of unknown values are null."""

MEMBERS: Final = pa.schema(
    [("track_id", pa.string()), ("first", pa.string()), ("day", pa.int32()), ("kind", pa.int32())]
)
"""A track of a group, and the first track of it by duration."""

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
    grouped = rows.join(copies, "track_id", "left").withColumn("recording", sf.coalesce("recording", "track_id"))
    return flag(grouped, sf.concat(sf.lit("duplicate:"), "evidence")).drop("evidence")


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
    day = sf.unix_date(PARTITION).alias("day")
    keyed = rows.select(*NAMED, "artist", "title", day).mapInArrow(with_keys, from_arrow_schema(COMPARABLE))
    tracks = sf.count("*").over(Window.partitionBy("key"))
    shared = keyed.withColumn("tracks", tracks).where("tracks > 1").select(COMPARABLE.names).checkpoint()
    sound = EVIDENCE.index("sound")
    heard = features.join(shared.where(sf.col("kind") == sound).select("track_id"), "track_id", "left_semi")
    vectors = heard.select("track_id", sf.lit(sound).alias("kind"), "features")
    compared = shared.join(vectors, ["track_id", "kind"], "left").select(*COMPARABLE.names, "features")
    in_order = compared.repartition("key").sortWithinPartitions("key", "duration_s", "track_id")
    return in_order.mapInArrow(compare_neighbours, from_arrow_schema(MEMBERS))


def with_keys(batches: Batches) -> Batches:
    """Find the keys of tracks.

    Parameters
    ----------
    batches : iterator of pyarrow.RecordBatch
        `NAMED`, ``artist``, ``title`` and ``day``.

    Yields
    ------
    pyarrow.RecordBatch
        `COMPARABLE`: a row for each key of a track.
    """
    for batch in batches:
        rows = [row for track in batch.to_pylist() for row in _rows_of(track)]
        yield pa.RecordBatch.from_pylist(rows, COMPARABLE)


def _rows_of(track: dict[str, Any]) -> Iterator[dict[str, Any]]:
    artist, title = track["artist"], track["title"]
    title, forms = (artist and title and names.recording(artist, title)) or (None, ())
    keys = {
        "content": [track["content_hash"]],
        "audio": [track["audio_hash"]],
        "mbid": [track["recording_mbid"]],
        "isrc": [track["isrc"]],
        "sound": [f"{form}\n{title}" for form in forms],
    }
    texts = {"title": title, "mbid": track["recording_mbid"], "isrc": track["isrc"], "acoustid": track["acoustid"]}
    hashed = {name: _hash(text) if text else None for name, text in texts.items()}
    for kind, evidence in enumerate(EVIDENCE):
        for text in filter(None, keys[evidence]):
            yield track | hashed | {"kind": kind, "key": _hash(f"{evidence}\n{text}")}


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little", signed=True)


def compare_neighbours(batches: Batches) -> Batches:
    """Compare the tracks of a Spark task.

    Parameters
    ----------
    batches : iterator of pyarrow.RecordBatch
        As for `find_groups`.

    Yields
    ------
    pyarrow.RecordBatch
        `MEMBERS` of the groups of each key.
    """
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
    values = {name: rows.column(name).to_numpy() for name in COMPARABLE.names[2:]}  # NaN where null
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
        return np.asarray(known & ~equal(name))

    kind, longer = values["kind"][one], values["duration_s"][other]
    is_sound = kind == EVIDENCE.index("sound")
    is_id = np.isin(kind, [EVIDENCE.index(name) for name in IDS])
    is_like = longer - values["duration_s"][one] <= np.maximum(TOLERANCE_S, TOLERANCE_SHARE * longer)
    same = ~is_sound & (~is_id | is_like | equal("title"))
    to_compare = is_sound & is_like & ~differ("mbid") & ~differ("isrc")
    same |= to_compare & equal("acoustid")
    to_hear = np.flatnonzero(to_compare & ~same)
    same[to_hear] = _same_sound(rows, one[to_hear], other[to_hear])
    return np.asarray(same)


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
    import pandas as pd  # not in Spark's Python workers, which import this module, too

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
    yield from pa.table(found, schema=MEMBERS).to_batches()


def _same_sound(rows: pa.Table, one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.bool_]:
    rates = rows.column("sample_rate").to_numpy()

    def vectors(of: NDArray[np.int64]) -> NDArray[np.float32]:
        values = rows.column("features").take(of).combine_chunks().flatten().to_numpy()
        return np.asarray(values, np.float32).reshape(-1, N_FEATURES)

    same = np.empty(len(one), bool)
    for start in range(0, len(one), PAIRS_AT_ONCE):
        pairs = slice(start, start + PAIRS_AT_ONCE)
        first, second = one[pairs], other[pairs]
        same[pairs] = is_same_sound(vectors(first), vectors(second), rates[first], rates[second])
    return same


def _joined(groups: NDArray[np.int64], one: NDArray[np.int64], other: NDArray[np.int64]) -> NDArray[np.int64]:
    """Join the groups of pairs of rows. Each row gets the first row of its group."""
    if not len(one):
        return groups
    from scipy import sparse  # a Python worker that finds no copies does without it
    from scipy.sparse.csgraph import connected_components

    rows = np.arange(len(groups))
    start, end = np.concatenate([rows, one]), np.concatenate([groups, other])
    pairs = sparse.coo_matrix((np.ones(len(start), bool), (start, end)), shape=(len(groups), len(groups)))
    _, labels = connected_components(pairs, directed=False)
    _, first = np.unique(labels, return_index=True)
    return np.asarray(first[labels])

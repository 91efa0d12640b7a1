"""The collection `sounds`: where each published track is in the space of sound, without a model and without Spark.

It follows the collection `tracks` day by day. `update` compares the digest of each announced day with the digest
that was placed, and places only the days that differ. So a day of new tracks costs as much as its tracks.

A space is fitted once, to at most `FITTED` tracks, and new tracks are placed in it. When the corpus has doubled,
or the vectors that it is made of change, a new space is fitted and every track is placed again. The document
`SPACE` is written last. Until then, readers see the previous space with all its tracks.
"""

from __future__ import annotations

import math
import uuid
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pymongo import DeleteOne, ReplaceOne
from pymongo.database import Database

from segue.tracks.collection import ANNOUNCED, PARTITION, in_pages, require_form
from segue.tracks.collection import COLLECTION as TRACKS
from segue.tracks.sound_space import SoundSpace
from segue.tracks.sound_vectors import FEATURES, VectorColumns, fields_of, find_columns, stack, weights

COLLECTION: Final = "sounds"
SPACE: Final = "space"
"""Id of the document of the current space. All other documents are parts of days."""

FITTED: Final = 20_000
"""A space is fitted to at most this many tracks, evenly chosen. Their features take 41 MB."""

GROWTH: Final = 2.0
"""A new space is fitted when the corpus has grown by this factor."""

PART: Final = 5_000
"""Tracks of one document, which then has less than 2 MB. MongoDB's limit is 16 MB."""

TOGETHER: Final = 700
"""Days are written together as soon as they have this many tracks, 0.2 MB."""

ARRAYS: Final = ("centre", "width", "mean", "axes")

Document = dict[str, Any]
Write = ReplaceOne[Document] | DeleteOne


@dataclass(frozen=True)
class Part:
    """Some tracks of one day.

    Attributes
    ----------
    key : str
        The id of the document.
    digest : int
        Digest of the day's tracks. It changes with any of them.
    track_ids : list of str
    vectors : ndarray of float32, shape (n_tracks, n_dimensions)
        Each row has length 1, or 0 for a track that is average in everything.
    """

    key: str
    digest: int
    track_ids: list[str]
    vectors: NDArray[np.float32]


def update(
    database: Database[Any],
    say: Callable[[str], None] = lambda _: None,
    *,
    vectors: Sequence[str] = (FEATURES.name,),
) -> int:
    """Place the tracks of days that have changed since the last update.

    If the update is killed and run again, the result is the same.

    Parameters
    ----------
    database : pymongo.database.Database
    say : callable, optional
        Called with a sentence for each step.
    vectors : sequence of str
        Vectors that the tracks are placed by, see `segue.tracks.sound_vectors`. Where a
        track lacks one, the mean of all tracks stands for it.

    Returns
    -------
    int
        Number of tracks that were placed.

    Raises
    ------
    CorpusError
        If the collection `tracks` has an older form, or no track has one of the vectors.
    """
    days = {each["_id"]: each for each in database[ANNOUNCED].find()}
    total = sum(day["tracks"] for day in days.values())
    current = database[COLLECTION].find_one({"_id": SPACE})
    if not total and current is None:
        return 0
    require_form(database)
    columns = find_columns(database, vectors) if total else ()
    if current is None or (total and not _is_of(current, columns)) or total > GROWTH * current["tracks"]:
        current = _fit(database, columns, total)
        say(f"A space of sound was fitted to {current['fitted']:,} of {total:,} tracks.")
    space, name = _space_of(current), current["space"]
    digests = {day: each["digest"] for day, each in days.items()}
    placed = {each["_id"]: each for each in database[COLLECTION].find({"space": name}, {"day": 1, "digest": 1})}
    placed.pop(SPACE, None)
    done = {part["day"]: part["digest"] for key, part in placed.items() if key.endswith("/0")}
    known: defaultdict[str, list[str]] = defaultdict(list)
    for key, part in placed.items():
        known[part["day"]].append(key)
    count = written = 0
    writes: list[Write] = []
    for day in sorted(day for day, digest in digests.items() if done.get(day) != digest):
        parts = list(_parts(database, columns, space, name, day, digests[day]))
        keys = {each["_id"] for each in parts}
        writes += [DeleteOne({"_id": key}) for key in known[day] if key not in keys]
        # The first part is written last. Its digest says that the day is placed.
        writes += [ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in reversed(parts)]
        count += sum(len(each["track_ids"]) for each in parts)
        if count - written >= TOGETHER:
            _write(database, writes)
            writes, written = [], count
    _write(database, writes)
    gone = [DeleteOne({"_id": key}) for key, part in placed.items() if part["day"] not in digests]
    if gone:
        database[COLLECTION].bulk_write(gone, ordered=False)
    if count or gone:
        revised = current | {"revision": uuid.uuid4().hex}
        database[COLLECTION].replace_one({"_id": SPACE}, revised, upsert=True)
        database[COLLECTION].delete_many({"space": {"$ne": name}})
        say(f"{count:,} tracks were placed by their sound.")
    return count


def revision(database: Database[Any]) -> str | None:
    """Return a text that changes with each update that placed or removed tracks; None before the first one."""
    found = database[COLLECTION].find_one({"_id": SPACE}, {"revision": 1})
    return None if found is None else str(found["revision"])


def digests(database: Database[Any]) -> dict[str, int]:
    """Return the digest of each part of the current space, by the part's key."""
    current = database[COLLECTION].find_one({"_id": SPACE}, {"space": 1})
    if current is None:
        return {}
    found = database[COLLECTION].find({"space": current["space"]}, {"digest": 1})
    return {each["_id"]: each["digest"] for each in found if each["_id"] != SPACE}


def read(database: Database[Any], keys: list[str]) -> Iterator[Part]:
    """Read parts by their keys. Parts that were removed meanwhile are left out."""
    for key in keys:  # one at a time: each has up to 2 MB
        found = database[COLLECTION].find_one({"_id": key})
        if found is not None:
            ids = found["track_ids"]
            vectors = np.frombuffer(found["vectors"], np.dtype("<f4")).reshape(len(ids), -1)
            yield Part(key, found["digest"], ids, vectors)


def _is_of(space: Document, columns: VectorColumns) -> bool:
    """Return whether a space is made of these vectors. An older one names only the version of its features."""
    if "vectors" not in space:
        return columns == (FEATURES._replace(version=space["feature_version"]),)
    return [tuple(each) for each in space["vectors"]] == list(columns)


def _fit(database: Database[Any], columns: VectorColumns, total: int) -> Document:
    """Fit a space to evenly chosen tracks, and return its document, which is not stored yet."""
    step = math.ceil(total / FITTED)
    found = chain.from_iterable(in_pages(database, *fields_of(columns)))
    features = _stack(columns, [track for number, track in enumerate(found) if number % step == 0])
    space = SoundSpace.fit(features, weights(columns) if len(columns) > 1 else None)
    arrays = {name: getattr(space, name).astype("<f8").tobytes() for name in ARRAYS}
    return {
        "_id": SPACE,
        "space": uuid.uuid4().hex,
        "vectors": [list(each) for each in columns],
        "tracks": total,
        "fitted": len(features),
        **arrays,
    }


def _stack(columns: VectorColumns, tracks: list[Document]) -> NDArray[np.float32]:
    return stack(columns, {field: [track.get(field) for track in tracks] for field in fields_of(columns)})


def _space_of(document: Document) -> SoundSpace:
    centre, width, mean, axes = (np.frombuffer(document[name], np.dtype("<f8")) for name in ARRAYS)
    return SoundSpace(centre, width, mean, axes.reshape(len(centre), -1))


def _write(database: Database[Any], writes: list[Write]) -> None:
    if writes:
        database[COLLECTION].bulk_write(writes)


def _parts(
    database: Database[Any], columns: VectorColumns, space: SoundSpace, name: str, day: str, digest: int
) -> Iterator[Document]:
    """Place the tracks of one day, and yield the documents of its parts."""
    found = list(database[TRACKS].find({PARTITION: day}, fields_of(columns)))
    found.sort(key=lambda track: str(track["_id"]))
    for part, start in enumerate(range(0, len(found), PART)):
        some = found[start : start + PART]
        vectors = space.place(_stack(columns, some))
        yield {
            "_id": f"{name}/{day}/{part}",
            "space": name,
            "day": day,
            "digest": digest,
            "track_ids": [track["_id"] for track in some],
            "vectors": vectors.astype("<f4").tobytes(),
        }

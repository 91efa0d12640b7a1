"""The collection `moods`: the tracks that fit each mood best, by rules on their musical descriptors.

The rules follow the circumplex of Russell (1980), *A circumplex model of affect*: a mood has an arousal and a
valence. Louder, faster and brighter music sounds more aroused, and a major key has a higher valence than a minor
one (Schubert, 2004; Hevner, 1935). These are rules of thumb. They were not learnt from what listeners say about
moods, and not compared with it.

Only the ranks of a track's values among those of all tracks count. So each library has tracks of each mood.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pymongo import ReplaceOne
from pymongo.database import Database
from scipy.stats import rankdata

from segue.tracks.collection import in_pages

COLLECTION: Final = "moods"

MOODS: Final = {
    "energetic": "louder, faster and brighter than most of the library",
    "calm": "quieter, slower and darker than most of the library",
    "danceable": "a beat that is more regular, and nearer to 120 a minute, than in most of the library",
    "happy": "more major, louder, faster and brighter than most of the library",
    "melancholic": "more minor, quieter, slower and darker than most of the library",
}
"""The moods, each with its rule for people."""

SHARE: Final = 0.2
"""The share of the tracks that has a mood: those that fit it best."""

MOST: Final = 5_000
"""No mood has more tracks. With ids of 36 characters, its document has 0.2 MB."""

DANCED_BPM: Final = 120.0
"""The tempo that people prefer to move to (Moelants, 2002, *Preferred tempo reconsidered*)."""

FIELDS: Final = (
    "tempo_bpm",
    "beat_regularity",
    "loudness_lufs",
    "key_mode",
    "key_confidence",
    "descriptors.spectral_centroid_hz",
)

Values = NDArray[np.float64]


def update(database: Database[Any], say: Callable[[str], None] = lambda _: None) -> dict[str, list[str]]:
    """Find the tracks of each mood again, and store them. Without new tracks, this changes nothing.

    Parameters
    ----------
    database : pymongo.database.Database
    say : callable, optional
        Called with a sentence about the result.

    Returns
    -------
    dict of str to list of str
        From `found_in`.
    """
    found = found_in(chain.from_iterable(in_pages(database, *FIELDS)))
    database[COLLECTION].bulk_write(
        [ReplaceOne({"_id": mood}, {"_id": mood, "track_ids": some}, upsert=True) for mood, some in found.items()]
    )
    counted = ", ".join(f"{len(some):,} {mood}" for mood, some in found.items())
    say(f"Tracks by mood: {counted}.")
    return found


def found_in(tracks: Iterable[Mapping[str, Any]]) -> dict[str, list[str]]:
    """Find the tracks of each mood.

    Parameters
    ----------
    tracks : iterable of dict
        Documents with `FIELDS`.

    Returns
    -------
    dict of str to list of str
        Track ids, best first. A track that lacks a value which the rule of a mood needs is not among them.
    """
    ids, values = _read(tracks)
    return {mood: [ids[row] for row in best(fit)] for mood, fit in fits_of(values).items()}


def read(database: Database[Any], mood: str) -> list[str] | None:
    """Read the ids of the tracks of a mood, best first; None if the moods were not found yet."""
    found = database[COLLECTION].find_one({"_id": mood})
    return None if found is None else list(found["track_ids"])


def known(database: Database[Any]) -> list[str]:
    """Return the moods that have tracks, in the order of `MOODS`."""
    there = {each["_id"] for each in database[COLLECTION].find({"track_ids.0": {"$exists": True}}, {"_id": 1})}
    return [mood for mood in MOODS if mood in there]


def fits_of(values: Mapping[str, Values]) -> dict[str, Values]:
    """Return how well each track fits each mood.

    Parameters
    ----------
    values : mapping of str to ndarray of float64, shape (n_tracks,)
        ``tempo_bpm``, ``beat_regularity``, ``loudness_lufs``, ``centroid_hz``, and ``major``: the confidence of
        the key, negative for minor keys. NaN where a track lacks a value.

    Returns
    -------
    dict of str to ndarray of float64, shape (n_tracks,)
        By mood, between 0 and 1. NaN if the track lacks a value that the rule of the mood needs.
    """
    ranks = {name: _ranks(each) for name, each in values.items()}
    arousal = _ranks((ranks["loudness_lufs"] + ranks["tempo_bpm"] + ranks["centroid_hz"]) / 3)
    valence = ranks["major"]
    moving = _ranks(-np.abs(np.log2(values["tempo_bpm"] / DANCED_BPM)))
    return {
        "energetic": arousal,
        "calm": 1 - arousal,
        # A track must have both halves of these, so the weaker one counts.
        "danceable": np.minimum(ranks["beat_regularity"], moving),
        "happy": np.minimum(valence, arousal),
        "melancholic": np.minimum(1 - valence, 1 - arousal),
    }


def best(fit: Values) -> list[int]:
    """Return the rows of the tracks that have a mood, best first.

    Parameters
    ----------
    fit : ndarray of float64, shape (n_tracks,)
        From `fits_of`.

    Returns
    -------
    list of int
        A share of `SHARE` of the tracks whose fit is known, and at least one of them; at most `MOST`.
    """
    able = np.flatnonzero(np.isfinite(fit))
    order = able[np.argsort(-fit[able], kind="stable")]
    return [int(row) for row in order[: min(math.ceil(SHARE * len(able)), MOST)]]


def _ranks(values: Values) -> Values:
    """Return the share of the tracks that have a lower value, from 0 to 1. NaN stays NaN."""
    there = np.isfinite(values)
    ranks = np.full(len(values), np.nan)
    ranks[there] = (rankdata(values[there]) - 1) / max(int(there.sum()) - 1, 1)
    return ranks


def _read(tracks: Iterable[Mapping[str, Any]]) -> tuple[list[str], dict[str, Values]]:
    """Read what the rules need of documents with `FIELDS`, in the order of their ids."""
    rows = sorted((each["_id"], *_values(each)) for each in tracks)
    names = ("tempo_bpm", "beat_regularity", "loudness_lufs", "centroid_hz", "major")
    matrix = np.array([row[1:] for row in rows], np.float64).reshape(len(rows), len(names))
    return [row[0] for row in rows], {name: matrix[:, at] for at, name in enumerate(names)}


def _values(track: Mapping[str, Any]) -> tuple[float, ...]:
    centroid = (track.get("descriptors") or {}).get("spectral_centroid_hz")
    sure, mode = track.get("key_confidence"), track.get("key_mode")
    major = None if sure is None or mode is None else sure if mode == "major" else -sure
    numbers = (track.get("tempo_bpm"), track.get("beat_regularity"), track.get("loudness_lufs"), centroid, major)
    return tuple(math.nan if each is None else float(each) for each in numbers)

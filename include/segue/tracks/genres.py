"""The genre of a track: the one of its tags, or else the one that the genre model predicts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from pymongo.database import Database

from segue.tracks.collection import COLLECTION

FIELDS: Final = ("genre", "genre_predicted")

ASKED: Final = 5_000
"""How many tracks are looked up by one query."""


def genre_of(track: dict[str, Any]) -> str | None:
    """Return the genre of a document with `FIELDS`, or None if it has neither."""
    return track.get("genre") or track.get("genre_predicted")


def genres_of(database: Database[Any], track_ids: Sequence[str]) -> dict[str, str]:
    """Read the genres of tracks, by id. Tracks without a genre are left out."""
    found: dict[str, str] = {}
    for start in range(0, len(track_ids), ASKED):
        query = {"_id": {"$in": list(track_ids[start : start + ASKED])}}
        tracks = database[COLLECTION].find(query, dict.fromkeys(FIELDS, 1))
        found |= {each["_id"]: genre for each in tracks if (genre := genre_of(each))}
    return found

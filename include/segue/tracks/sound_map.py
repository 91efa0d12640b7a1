"""The collection `sound_map`: where each track is on the map of the library, and its genre.

The map follows the collection `sounds`. New tracks are placed among their neighbours, so places stay the same from
day to day. Everything is laid out again if more than `MOST_NEW` of the tracks are new. The document `MAP` is
written last. Until then, readers see the previous map.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from pymongo import ReplaceOne
from pymongo.database import Database

from segue.tracks import genres, sounds
from segue.tracks.map_layout import Places, Vectors, lay_out, place_between

COLLECTION: Final = "sound_map"
MAP: Final = "map"
"""Id of the document of the current map. All other documents are its parts."""

MOST_NEW: Final = 1 / 3
"""If a larger share of the tracks is new, all are laid out again."""

PART: Final = 20_000
"""Tracks of one document. With ids of 36 characters, it has about 1 MB."""

NO_GENRE: Final = 255
PLACE: Final = np.dtype("<f4")


@dataclass(frozen=True)
class SoundMap:
    """The tracks of a map, in the same order in all fields.

    Parameters
    ----------
    track_ids : list of str
    places : ndarray of float32, shape (n_tracks, 2)
        Within the square from -1 to 1.
    genre : ndarray of uint8, shape (n_tracks,)
        Position of each track's genre in `genres`; `NO_GENRE` if it is not known.
    genres : list of str
        The most frequent first.
    """

    track_ids: list[str]
    places: Places
    genre: NDArray[np.uint8]
    genres: list[str]

    def packed(self) -> bytes:
        """Return the map as one piece, little-endian.

        Number of tracks (uint32), x of all (float32), y of all (float32), genre of all (uint8), then a JSON object
        with `genres` and `track_ids`.
        """
        x, y = (np.ascontiguousarray(self.places[:, axis], PLACE).tobytes() for axis in (0, 1))
        named = json.dumps({"genres": self.genres, "track_ids": self.track_ids}, separators=(",", ":"))
        return len(self.track_ids).to_bytes(4, "little") + x + y + self.genre.tobytes() + named.encode()


def update(database: Database[Any], say: Callable[[str], None] = lambda _: None) -> int:
    """Place the tracks that are new, leave out those that have gone, and read the genres again.

    If the update is killed and run again, the result is the same.

    Parameters
    ----------
    database : pymongo.database.Database
    say : callable, optional
        Called with a sentence for each step.

    Returns
    -------
    int
        Number of tracks of the map.
    """
    parts = list(sounds.read(database, sorted(sounds.digests(database))))
    ids = [track for part in parts for track in part.track_ids]
    if not ids:
        if database[COLLECTION].delete_many({}).deleted_count:
            say("The map was removed, because the corpus has no tracks.")
        return 0
    vectors = np.concatenate([part.vectors for part in parts])
    places = _places(ids, vectors, read(database), say)
    genre_of = genres.genres_of(database, ids)
    counted = Counter(genre for track in ids if (genre := genre_of.get(track)))
    named = [genre for genre, _ in sorted(counted.items(), key=lambda item: (-item[1], item[0]))][:NO_GENRE]
    position = {genre: at for at, genre in enumerate(named)}
    numbers = np.array([position.get(genre_of.get(track) or "", NO_GENRE) for track in ids], np.uint8)
    store(database, SoundMap(ids, places, numbers, named), say)
    return len(ids)


def version(database: Database[Any]) -> str | None:
    """Return a text that changes with the map, or None if there is no map."""
    found = database[COLLECTION].find_one({"_id": MAP}, {"version": 1})
    return None if found is None else str(found["version"])


def read(database: Database[Any]) -> SoundMap | None:
    """Read the map, or None if there is none."""
    current = database[COLLECTION].find_one({"_id": MAP})
    if current is None:
        return None
    query = {"version": current["version"], "part": {"$exists": True}}
    parts = sorted(database[COLLECTION].find(query), key=lambda part: int(part["part"]))
    ids = [track for part in parts for track in part["track_ids"]]
    places = np.frombuffer(b"".join(part["places"] for part in parts), PLACE).reshape(len(ids), 2)
    genre = np.frombuffer(b"".join(part["genre"] for part in parts), np.uint8)
    return SoundMap(ids, places, genre, current["genres"])


def store(database: Database[Any], made: SoundMap, say: Callable[[str], None] = lambda _: None) -> None:
    """Replace the map. If it is the same already, nothing is written."""
    name = hashlib.sha256(made.packed()).hexdigest()[:32]
    if name == version(database):
        return
    for part, start in enumerate(range(0, len(made.track_ids), PART)):
        some = slice(start, start + PART)
        document = {
            "_id": f"{name}/{part}",
            "version": name,
            "part": part,
            "track_ids": made.track_ids[some],
            "places": made.places[some].astype(PLACE).tobytes(),
            "genre": made.genre[some].tobytes(),
        }
        database[COLLECTION].bulk_write([ReplaceOne({"_id": document["_id"]}, document, upsert=True)])
    current = {"_id": MAP, "version": name, "tracks": len(made.track_ids), "genres": made.genres}
    database[COLLECTION].replace_one({"_id": MAP}, current, upsert=True)
    database[COLLECTION].delete_many({"version": {"$ne": name}})
    say(f"The map has {len(made.track_ids):,} tracks of {len(made.genres)} genres.")


def _places(ids: list[str], vectors: Vectors, old: SoundMap | None, say: Callable[[str], None]) -> Places:
    row_of = {track: row for row, track in enumerate(old.track_ids)} if old else {}
    rows = np.array([row_of.get(track, -1) for track in ids])
    new = rows < 0
    if old is None or new.all():
        say(f"{len(ids):,} tracks are laid out on a map.")
        return lay_out(vectors)
    places: Places = old.places[rows]  # those of new tracks are replaced
    if new.any():
        places[new] = place_between(vectors[new], vectors[~new], places[~new])
    if new.mean() > MOST_NEW:
        say(f"{new.sum():,} of {len(ids):,} tracks are new, so all are laid out again.")
        return lay_out(vectors, places)
    say(f"{new.sum():,} of {len(ids):,} tracks are new on the map.")
    return places

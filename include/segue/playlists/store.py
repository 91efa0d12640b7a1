"""The collection `playlists`: the daily playlists of each listener, one document each.

A document has the ids, names and reasons of its tracks, and the version of the model that chose them. Paths,
lengths and MusicBrainz ids are read from `tracks` when the playlist is read, so they are current.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, Final

from pymongo import ReplaceOne
from pymongo.database import Database

from segue.playlists.library import Library
from segue.playlists.playlist import Entry, Playlist

COLLECTION: Final = "playlists"
SCHEMA_VERSION: Final = 1

Document = dict[str, Any]


class PlaylistStore:
    """Reads and writes the daily playlists.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._playlists = database[COLLECTION]

    def create_indexes(self) -> None:
        """Create the index for the playlists of one user."""
        self._playlists.create_index("user_name")

    def replace(self, playlists: Iterable[Playlist]) -> int:
        """Replace playlists, and remove those that are empty now. Return how many are stored."""
        made = [document_of(each) for each in playlists]
        if not made:
            return 0
        full = [each for each in made if each["items"]]
        if full:
            self._playlists.bulk_write(
                [ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in full], ordered=False
            )
        self._playlists.delete_many({"_id": {"$in": [each["_id"] for each in made if not each["items"]]}})
        return len(full)

    def of_user(self, user_name: str) -> list[Document]:
        """Read the documents of a user's playlists, sorted by kind."""
        return list(self._playlists.find({"user_name": user_name}).sort("kind"))

    def find(self, mbid: str) -> Document | None:
        """Read a document by the playlist's id."""
        return self._playlists.find_one({"_id": mbid})

    def remove_user(self, user_name: str) -> int:
        """Delete the playlists of a user, and return their number."""
        return self._playlists.delete_many({"user_name": user_name}).deleted_count

    def remove_older(self, made_at: float) -> int:
        """Delete the playlists that were made before a time. Their users have played nothing lately."""
        older = {"made_at": {"$lt": datetime.fromtimestamp(made_at, UTC)}}
        return self._playlists.delete_many(older).deleted_count


def document_of(playlist: Playlist) -> Document:
    """Convert a playlist to its document."""
    return {
        "_id": playlist.mbid,
        "schema_version": SCHEMA_VERSION,
        "user_name": playlist.user_name,
        "kind": playlist.kind,
        "title": playlist.title,
        "description": playlist.description,
        "model_version": playlist.version,
        "made_at": datetime.fromtimestamp(playlist.made_at, UTC),
        "items": [
            {
                "track_id": entry.track.track_id,
                "title": entry.track.title,
                "artist": entry.track.artist,
                "reason": entry.reason,
            }
            for entry in playlist.entries
        ],
    }


def playlist_of(document: Document, library: Library, barred: frozenset[str] = frozenset()) -> Playlist:
    """Convert a document to a playlist, without tracks that are gone from the corpus or are barred now."""
    tracks = library.tracks([item["track_id"] for item in document["items"]])
    return Playlist(
        document["user_name"],
        document["kind"],
        document["title"],
        document["description"],
        list(_entries(document, tracks, barred)),
        document["model_version"],
        document["made_at"].timestamp(),
    )


def _entries(document: Document, tracks: dict[str, Any], barred: frozenset[str]) -> Iterator[Entry]:
    for item in document["items"]:
        track = tracks.get(item["track_id"])
        if track is not None and (not barred or barred.isdisjoint(track.ids)):
            yield Entry(track, item["reason"])

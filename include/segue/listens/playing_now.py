"""What each user is playing now: one document for each user, which expires by itself."""

from __future__ import annotations

import json
import time
from typing import Any

from pymongo.database import Database

from segue.listens import limits
from segue.listens.events import Listen

COLLECTION = "playing_now"


class PlayingNow:
    """The collection ``playing_now``.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._playing = database[COLLECTION]

    def set(self, event: Listen) -> None:
        """Store the event as what its user is playing now. It expires after the duration of the track."""
        user_name, info = event.user_name, event.additional_info or {}
        duration_s = info.get("duration") or info.get("duration_ms", 0) / 1000 or limits.PLAYING_NOW_S
        document = {"_id": user_name, "ends_at": time.time() + duration_s, "metadata": json.dumps(metadata(event))}
        self._playing.replace_one({"_id": user_name}, document, upsert=True)

    def get(self, user_name: str) -> dict[str, Any] | None:
        """Return what is playing as ListenBrainz's ``track_metadata``, or None."""
        document = self._playing.find_one({"_id": user_name, "ends_at": {"$gt": time.time()}})
        return json.loads(document["metadata"]) if document else None

    def clear(self, user_name: str) -> None:
        """Delete what a user is playing now."""
        self._playing.delete_one({"_id": user_name})


def metadata(event: Listen) -> dict[str, Any]:
    """Convert an event to ListenBrainz's ``track_metadata``."""
    names = {"artist_name": event.artist_name, "track_name": event.track_name, "release_name": event.release_name}
    return {k: v for k, v in names.items() if v is not None} | {"additional_info": event.additional_info or {}}

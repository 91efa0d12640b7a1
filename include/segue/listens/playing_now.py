"""What each user is playing now: one document a user, which expires when the track ends."""

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
        """Note what the user is playing, for as long as the track lasts."""
        user_name, info = event.user_name, event.additional_info or {}
        duration_s = info.get("duration") or info.get("duration_ms", 0) / 1000 or limits.PLAYING_NOW_S
        document = {"_id": user_name, "ends_at": time.time() + duration_s, "metadata": json.dumps(metadata(event))}
        self._playing.replace_one({"_id": user_name}, document, upsert=True)

    def get(self, user_name: str) -> dict[str, Any] | None:
        """Return what the user is playing, as ``track_metadata``; None if nothing."""
        document = self._playing.find_one({"_id": user_name, "ends_at": {"$gt": time.time()}})
        return json.loads(document["metadata"]) if document else None

    def clear(self, user_name: str) -> None:
        """Note that the user is playing nothing."""
        self._playing.delete_one({"_id": user_name})


def metadata(event: Listen) -> dict[str, Any]:
    """Write an event as ListenBrainz's ``track_metadata``."""
    told = {"artist_name": event.artist_name, "track_name": event.track_name, "release_name": event.release_name}
    return {k: v for k, v in told.items() if v is not None} | {"additional_info": event.additional_info or {}}

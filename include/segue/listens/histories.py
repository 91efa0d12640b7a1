"""What each listener has played of the corpus: the state of the live recommendations.

One document an event in MongoDB, under the event's id: an event that comes again changes nothing, and a process
that starts anew finds everything. What is in memory is a copy of the listeners seen lately.
"""

from __future__ import annotations

import sys
import time
from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from pymongo import ASCENDING
from pymongo.database import Database

from segue.listens.events import Listen
from segue.listens.removals import user_key
from segue.listens.store import present_stay

COLLECTION = "plays"

RECORDING_IDS = ("recording_msid", "recording_mbid")

KEPT_PLAYS = 500_000
"""Plays kept in memory: some 100 MB. One listener may have more, who is then the only one kept."""

KEPT_S = 300.0
"""How long; then a listener is read again, so that what others have written appears here too."""


@dataclass
class History:
    """A listener's plays: for each track id the times, in seconds since 1970, each once."""

    times: dict[str, tuple[int, ...]] = field(default_factory=dict)
    read_at: float = field(default_factory=time.monotonic)

    @classmethod
    def of(cls, plays: Iterable[tuple[str, int]]) -> History:
        """Collect plays: track ids and times."""
        times: dict[str, set[int]] = {}
        for track_id, at in plays:
            times.setdefault(sys.intern(track_id), set()).add(at)
        # Thousands of listeners are kept: a tuple takes a third of a set.
        return cls({track_id: tuple(sorted(moments)) for track_id, moments in times.items()})

    def __len__(self) -> int:
        """Count the plays."""
        return sum(map(len, self.times.values()))

    def add(self, track_id: str, listened_at: int) -> bool:
        """Note a play, unless it is there; return whether it was not."""
        moments = self.times.get(track_id, ())
        if listened_at in moments:
            return False
        self.times[sys.intern(track_id)] = (*moments, listened_at)
        return True


class Histories:
    """The collection ``plays``, with what is needed of it in memory.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._plays = database[COLLECTION]
        self._kept: OrderedDict[str, History] = OrderedDict()  # by the user's key among the removals
        self._kept_plays = 0

    def create_indexes(self) -> None:
        """Make reading one listener quick, and which tracks they played under an id."""
        for recording in RECORDING_IDS:
            self._plays.create_index([("user_name", ASCENDING), (recording, ASCENDING)])

    def add(self, events: Iterable[Listen]) -> None:
        """Keep the plays of tracks of the corpus; those that are there already stay as they are."""
        known = [event for event in events if event.track_id is not None]
        if not known:
            return
        with present_stay():
            self._plays.insert_many([_document(event) for event in known], ordered=False)
        for event in known:
            kept = self._kept.get(user_key(event.user_name))
            if kept is not None:
                self._kept_plays += kept.add(str(event.track_id), event.listened_at)

    def of(self, user_name: str) -> History:
        """Tell what a listener has played; empty for one who has played nothing of the corpus."""
        key = user_key(user_name)
        kept = self._kept.get(key)
        if kept is None or time.monotonic() - kept.read_at > KEPT_S:
            self.forget([key])
            kept = self._kept[key] = self.read(user_name)
            self._kept_plays += len(kept)
            while self._kept_plays > KEPT_PLAYS and len(self._kept) > 1:
                self.forget([next(iter(self._kept))])
        self._kept.move_to_end(key)
        return kept

    def read(self, user_name: str) -> History:
        """Read a listener from MongoDB."""
        wanted = {"_id": 0, "track_id": 1, "listened_at": 1}
        found = self._plays.find({"user_name": user_name}, wanted)
        return History.of((play["track_id"], play["listened_at"]) for play in found)

    def played_as(self, user_name: str, recordings: Iterable[str]) -> set[str]:
        """Find the tracks that a listener has played under ids of recordings."""
        wanted = {"$in": list(recordings)}
        return {
            play["track_id"]
            for name in RECORDING_IDS  # one after the other: the index is not used for `$or`
            for play in self._plays.find({"user_name": user_name, name: wanted}, {"_id": 0, "track_id": 1})
        }

    def forget(self, user_keys: Iterable[str] | None = None) -> None:
        """Drop from memory everybody, or those of the given keys: they are read again."""
        for key in list(self._kept) if user_keys is None else user_keys:
            if (kept := self._kept.pop(key, None)) is not None:
                self._kept_plays -= len(kept)

    def remove(self, user_name: str, listened_at: int, recording_msid: str) -> int:
        """Remove a listen; return how many there were."""
        query = {"user_name": user_name, "listened_at": listened_at, "recording_msid": recording_msid}
        return self._plays.delete_many(query).deleted_count

    def discard(self, events: Iterable[Listen]) -> None:
        """Remove events."""
        gone = list(events)
        self._plays.delete_many({"_id": {"$in": [event.event_id for event in gone]}})
        self.forget(user_key(event.user_name) for event in gone)

    def remove_user(self, user_name: str) -> int:
        """Remove all listens of a user; return how many there were."""
        return self._plays.delete_many({"user_name": user_name}).deleted_count


def _document(event: Listen) -> dict[str, Any]:
    return {
        "_id": event.event_id,
        "user_name": event.user_name,
        "track_id": event.track_id,
        "listened_at": event.listened_at,
        "recording_msid": event.recording_msid,
        "recording_mbid": event.recording_mbid,
    }

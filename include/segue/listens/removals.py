"""Removals: deleted listens and forgotten users.

Kafka keeps its messages, so readers of the topic of listens must look up here which events no longer count. An
event does not count if it was received before its removal. Later events of the same user or track count again.
The clock may have been set back since an event was received. So a removal is never older than what it removes.

A deleted listen is identified by its names and by the id of its event. The id is needed because a player may send
the same event again with another album, and so with another MSID. A forgotten user is stored only as a hash of the
name.
"""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from pymongo import UpdateOne
from pymongo.database import Database

from segue.listens.events import Listen

COLLECTION = "removals"


def user_key(user_name: str) -> str:
    """Return the key of a forgotten user."""
    return f"user:{hashlib.sha256(user_name.encode()).hexdigest()}"


def listen_key(user_name: str, listened_at: int, recording_msid: str | None) -> str:
    """Return the key of a deleted listen."""
    return f"{user_key(user_name)}/{listened_at}/{recording_msid}"


def event_key(event_id: str) -> str:
    """Return the key of a deleted listen's event."""
    return f"event:{event_id}"


def keys(event: Listen) -> tuple[str, str, str]:
    """Return the keys of all removals that would remove an event."""
    named = listen_key(event.user_name, event.listened_at, event.recording_msid)
    return user_key(event.user_name), named, event_key(event.event_id)


class Removals:
    """The collection ``removals``: ``_id`` as the keys above, ``removed_at`` in seconds since 1970.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._removals = database[COLLECTION]

    def add(self, *keys: str, not_before: float = 0.0) -> None:
        """Record that the listens or users with these keys are removed now.

        Parameters
        ----------
        *keys
            See the functions of this module.
        not_before
            When the newest of what is removed was stored, in seconds since 1970.
        """
        removed_at = max(time.time(), not_before)
        for key in keys:
            self._removals.replace_one({"_id": key}, {"_id": key, "removed_at": removed_at}, upsert=True)

    def restore(self, removals: Mapping[str, float]) -> None:
        """Add removals that are missing: the time (seconds since 1970) by key. Later times stay."""
        known = self.all()
        changes = [
            UpdateOne({"_id": key}, {"$max": {"removed_at": at}}, upsert=True)
            for key, at in removals.items()
            if known.get(key, -1.0) < at
        ]
        if changes:
            self._removals.bulk_write(changes, ordered=False)

    def all(self) -> dict[str, float]:
        """Return all removals: the time (seconds since 1970) by key."""
        return {document["_id"]: document["removed_at"] for document in self._removals.find()}

    def since(self, moment: float) -> set[str]:
        """Return the keys of the users with a removal after a moment, in seconds since 1970."""
        found = self._removals.find({"removed_at": {"$gt": moment}}, {"_id": 1})
        return {document["_id"].partition("/")[0] for document in found}

    def create_indexes(self) -> None:
        """Create the index for `since`."""
        self._removals.create_index("removed_at")

    def standing(self, events: Iterable[Listen]) -> list[Listen]:
        """Return the events that have not been removed."""
        listed = list(events)
        wanted = {key for event in listed for key in keys(event)}
        found = self._removals.find({"_id": {"$in": sorted(wanted)}})
        removed = {document["_id"]: float(document["removed_at"]) for document in found}
        if not removed:
            return listed
        return [
            event
            for event in listed
            if (event.received_at or 0.0) > max(removed.get(key, -1.0) for key in keys(event))
        ]

    def forgotten(self, user_names: Iterable[str]) -> list[str]:
        """Return the users who have ever been forgotten. They may have come back since."""
        names = {user_key(user_name): user_name for user_name in user_names}
        return [names[found["_id"]] for found in self._removals.find({"_id": {"$in": sorted(names)}}, {"_id": 1})]

    def store(
        self,
        events: Iterable[Listen],
        put: Callable[[Sequence[Listen]], object],
        discard: Callable[[Sequence[Listen]], object],
    ) -> list[Listen]:
        """Store events, except those that were removed before or are removed during the storing.

        Parameters
        ----------
        events
            Events from Kafka or the lake.
        put, discard
            Functions that store events, and that delete stored events.

        Returns
        -------
        list of Listen
            The events that are stored at the end.
        """
        events = self.standing(events)
        put(events)
        kept = self.standing(events)
        if len(kept) < len(events):  # the removal may have searched for these events before they were stored
            ids = {event.event_id for event in kept}
            discard([event for event in events if event.event_id not in ids])
        return kept

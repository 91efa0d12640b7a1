"""The collection `listens`: what the API shows and what live recommendations are made from.

It follows the Kafka topic. Two processes write to it: the API's follower writes every event, and the live
recommendations write those that they are about to use. Both only insert, and an existing event stays as it is. So
it does not matter which of them comes first.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Final

from pydantic_core import from_json
from pymongo import ASCENDING, DESCENDING, IndexModel, ReplaceOne
from pymongo.cursor import Cursor
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from segue.listens.events import Listen
from segue.listens.history import History

COLLECTION: Final = "listens"
DUPLICATE_KEY: Final = 11000

INDEXES: Final = (
    IndexModel([("listener", ASCENDING)], sparse=True),
    IndexModel([("user_name", ASCENDING), ("recordings", ASCENDING)]),
    IndexModel([("user_name", ASCENDING), ("named", ASCENDING), ("listened_at", DESCENDING)]),
)
"""Indexes for histories, for recordings by their ids, and for the API's pages.

SecantusDB uses an index only for equalities on its first fields and one range on the next, and it ignores partial
indexes for ``$exists``. So `listener` and `named` are fields of their own.
"""

Document = dict[str, Any]

PREFIXES: Final = 256
"""An id is a hexadecimal hash, so its first two digits divide the listens evenly into so many parts."""


@dataclass(frozen=True, slots=True)
class Span:
    """The newest and the oldest listen of a user, in seconds since 1970."""

    newest: int
    oldest: int


class ListenStore:
    """The collection ``listens``, with one document per event.

    The methods below that return or count listens leave out events of version 1, which have no names to show, and
    skips, which are not plays.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[Document]) -> None:
        self._listens = database[COLLECTION]

    def put(self, events: Iterable[Listen]) -> int:
        """Insert the events that are not there yet, and return how many they were."""
        documents = [document_of(event) for event in events]
        if not documents:
            return 0
        try:
            return len(self._listens.insert_many(documents, ordered=False).inserted_ids)
        except BulkWriteError as error:
            _require_only_duplicates(error)
            inserted: int = error.details["nInserted"]
            return inserted

    def replace(self, events: Iterable[Listen]) -> None:
        """Store events. They replace the stored events that have the same ids."""
        documents = [document_of(event) for event in events]
        if documents:
            self._listens.bulk_write(
                [ReplaceOne({"_id": each["_id"]}, each, upsert=True) for each in documents], ordered=False
            )

    def of_user(
        self,
        user_name: str,
        *,
        before: int | None = None,
        after: int | None = None,
        count: int = 25,
        offset: int = 0,
    ) -> list[Listen]:
        """Read listens of a user, the newest first.

        Parameters
        ----------
        user_name
            The user who listened.
        before, after
            Only listens strictly before and strictly after these times, in seconds since 1970. With `after` alone,
            the listens closest to it are returned.
        count
            Largest number of listens.
        offset
            How many listens to skip first.
        """
        if count == 0:
            return []  # for MongoDB, a limit of 0 means no limit
        oldest_first = after is not None and before is None
        order = ASCENDING if oldest_first else DESCENDING
        found = self._listens.find(_shown(user_name, before, after)).sort([("listened_at", order)])
        events = [event_of(document) for document in found.skip(offset).limit(count)]
        return events[::-1] if oldest_first else events

    def between(self, user_name: str, start: int, end: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read time and event of all listens from `start` until before `end`, in no particular order."""
        query = {"user_name": user_name, "named": True, "listened_at": {"$gte": start, "$lt": end}}
        for document in self._listens.find(query, {"_id": 0, "listened_at": 1, "event": 1}):
            yield document["listened_at"], from_json(document["event"])

    def count(self, user_name: str, *, before: int | None = None, after: int | None = None) -> int:
        """Count the listens of a user: all, or those strictly before and strictly after a time."""
        return self._listens.count_documents(_shown(user_name, before, after))

    def span(self, user_name: str) -> Span | None:
        """Find the newest and the oldest listen; None if there is none."""
        ends = [
            self._listens.find_one(_shown(user_name), {"listened_at": 1}, sort=[("listened_at", order)])
            for order in (DESCENDING, ASCENDING)
        ]
        newest, oldest = ends
        return Span(newest["listened_at"], oldest["listened_at"]) if newest and oldest else None

    def history(self, user_name: str) -> History:
        """Read which tracks of the corpus a listener has played or skipped, and when."""
        wanted = {"_id": 0, "track_id": 1, "listened_at": 1, "skipped": 1}
        heard: tuple[list[tuple[str, int]], list[tuple[str, int]]] = ([], [])
        for each in self._listens.find({"listener": user_name}, wanted):
            heard[each.get("skipped", False)].append((each["track_id"], each["listened_at"]))
        return History.of(*heard)

    def has_listens(self, user_name: str) -> bool:
        """Return whether a listener has played anything."""
        return self._listens.find_one({"listener": user_name}, {"_id": 1}) is not None

    def played_as(self, user_name: str, recordings: Collection[str]) -> dict[str, Listen]:
        """Find one listen of the user for each of the recordings (MSIDs or MBIDs) that the user has played."""
        wanted, found = set(recordings), dict[str, Listen]()
        for document in self._of_recordings(user_name, recordings, {}):
            if document["named"]:
                found |= dict.fromkeys(wanted.intersection(document["recordings"]), event_of(document))
        return found

    def tracks_played_as(self, user_name: str, recordings: Collection[str]) -> set[str]:
        """Find the tracks that a listener has played under some ids of recordings (MSIDs or MBIDs)."""
        found = self._of_recordings(user_name, recordings, {"_id": 0, "track_id": 1})
        return {document["track_id"] for document in found if "track_id" in document}

    def events(self, user_name: str, listened_at: int, recording_msid: str) -> list[Listen]:
        """Find the events of a listen."""
        events = map(event_of, self._of_recordings(user_name, [recording_msid], {}))
        return [
            event for event in events if (event.listened_at, event.recording_msid) == (listened_at, recording_msid)
        ]

    def received_until(self, user_name: str) -> float:
        """Return when the newest event of a user was received, see the function `received_until`."""
        return received_until(map(event_of, self._listens.find({"user_name": user_name}, {"event": 1})))

    def remove(self, user_name: str, listened_at: int, recording_msid: str) -> int:
        """Remove a listen; return how many events were removed."""
        gone = [event.event_id for event in self.events(user_name, listened_at, recording_msid)]
        return self._listens.delete_many({"_id": {"$in": gone}}).deleted_count

    def discard(self, events: Iterable[Listen]) -> None:
        """Remove events."""
        self._listens.delete_many({"_id": {"$in": [event.event_id for event in events]}})

    def remove_user(self, user_name: str) -> int:
        """Remove all listens of a user; return how many there were."""
        return self._listens.delete_many({"user_name": user_name}).deleted_count

    def _of_recordings(
        self, user_name: str, recordings: Collection[str], fields: dict[str, int]
    ) -> Cursor[Document]:
        query = {"user_name": user_name, "recordings": {"$in": sorted(recordings)}}
        return self._listens.find(query, fields or None)


def id_bounds(first: int, after: int) -> tuple[str, str]:
    """Return the bounds of some parts of all ids: the smallest id, and one that is above all of them.

    Parameters
    ----------
    first, after : int
        Number of the first part, and of the one after the last, from 0 to `PREFIXES`.
    """
    return f"{first:02x}" if first else "", f"{after:02x}" if after < PREFIXES else "\U0010ffff"


def in_parts(
    database: Database[Document], *names: str, first: int = 0, after: int = PREFIXES
) -> Iterator[Document]:
    """Read fields of all listens, or of some parts of them; with no names, the whole documents.

    Each part is one query, because SecantusDB's servers hold the whole documents of a query in memory.

    Parameters
    ----------
    database
        The corpus' database.
    *names : str
        The fields.
    first, after : int
        As for `id_bounds`.
    """
    for part in range(first, after):
        low, high = id_bounds(part, part + 1)
        yield from database[COLLECTION].find({"_id": {"$gte": low, "$lt": high}}, dict.fromkeys(names, 1) or None)


def document_of(event: Listen) -> Document:
    """Convert an event to a document.

    What a player sent is stored as the event's JSON text, never as fields. So no key that a stranger has chosen
    becomes a field in the database.

    Returns
    -------
    dict
        ``_id`` (the event's id), ``user_name``, ``listened_at``, ``named`` (whether it is a play with names to
        show), ``recordings`` (MSID and MBID, as far as they are known) and ``event``. If the corpus has the track,
        also ``track_id`` and ``listener``, which repeats the user's name for the index of histories. If it is a
        skip, also ``skipped``.
    """
    document = {
        "_id": event.event_id,
        "user_name": event.user_name,
        "listened_at": event.listened_at,
        "named": bool(event.track_name) and not event.skipped,
        "recordings": [known for known in (event.recording_msid, event.recording_mbid) if known],
        "event": event.model_dump_json(exclude_none=True),
    }
    if event.skipped:
        document["skipped"] = True
    if event.track_id is None:
        return document
    return document | {"track_id": event.track_id, "listener": event.user_name}


def received_until(events: Iterable[Listen]) -> float:
    """Return when the newest of some events was received, in seconds since 1970. 0 if there is none."""
    return max((event.received_at or 0.0 for event in events), default=0.0)


def event_of(document: Document) -> Listen:
    """Read the event of a document."""
    return Listen.model_validate_json(document["event"])


@contextmanager
def duplicates_ignored() -> Iterator[None]:
    """Ignore the duplicate-key errors of an unordered bulk write. Existing documents stay as they are.

    Raises
    ------
    BulkWriteError
        If a write failed for another reason, or was not journaled.
    """
    try:
        yield
    except BulkWriteError as error:
        _require_only_duplicates(error)


def _require_only_duplicates(error: BulkWriteError) -> None:
    failed = any(each["code"] != DUPLICATE_KEY for each in error.details["writeErrors"])
    if failed or error.details.get("writeConcernErrors"):
        raise error


def _shown(user_name: str, before: int | None = None, after: int | None = None) -> dict[str, Any]:
    bounds = {"$lt": before, "$gt": after}
    given = {operator: bound for operator, bound in bounds.items() if bound is not None}
    return {"user_name": user_name, "named": True} | ({"listened_at": given} if given else {})

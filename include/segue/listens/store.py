"""The listens as the API shows them: a MongoDB collection that follows the Kafka topic."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from pydantic_core import from_json
from pymongo import ASCENDING, DESCENDING, ReplaceOne
from pymongo.database import Database
from pymongo.errors import BulkWriteError

from segue.listens.events import Listen

COLLECTION = "listens"
RECORDING_IDS = ("recording_msid", "recording_mbid")
DUPLICATE_KEY = 11000


@dataclass(frozen=True, slots=True)
class Span:
    """The newest and the oldest listen of a user, in seconds since 1970."""

    newest: int
    oldest: int


class ListenStore:
    """The collection ``listens``, one document an event.

    What a player sent is kept as the event's JSON text, never as a document: no key of a stranger's reaches the
    database, whatever it is called.

    Parameters
    ----------
    database
        The corpus' database.
    """

    def __init__(self, database: Database[dict[str, Any]]) -> None:
        self._listens = database[COLLECTION]

    def create_indexes(self) -> None:
        """Make the queries below quick."""
        self._listens.create_index([("user_name", ASCENDING), ("listened_at", DESCENDING)])

    def put(self, events: Iterable[Listen]) -> None:
        """Insert the events that are not there yet."""
        documents = [_document(event) for event in events]
        if documents:
            with present_stay():
                self._listens.insert_many(documents, ordered=False)

    def replace(self, events: Iterable[Listen]) -> None:
        """Store events, in the place of those with the same ids."""
        documents = [_document(event) for event in events]
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
            Whose.
        before, after
            Only listens strictly before, strictly after; in seconds since 1970. With `after` alone, those that
            follow it most closely.
        count
            At most so many.
        offset
            So many are left out first.
        """
        query = _query(user_name, before, after)
        if count == 0:
            return []  # to MongoDB a limit of 0 is none
        oldest_first = after is not None and before is None
        order = ASCENDING if oldest_first else DESCENDING
        found = self._listens.find(query).sort([("listened_at", order)]).skip(offset).limit(count)
        events = [_event(document) for document in found]
        return events[::-1] if oldest_first else events

    def between(self, user_name: str, start: int, end: int) -> Iterator[tuple[int, dict[str, Any]]]:
        """Read the time and the event's fields of all listens from `start` until before `end`, in no order."""
        query = {"user_name": user_name, "listened_at": {"$gte": start, "$lt": end}}
        for document in self._listens.find(query, {"_id": 0, "listened_at": 1, "event": 1}):
            yield document["listened_at"], from_json(document["event"])

    def played_as(self, user_name: str, recordings: Collection[str]) -> dict[str, Listen]:
        """Find a listen of the user for each id of a recording, MSID or MBID, that they have played.

        There is no index for it, which would double the cost of every listen: it reads all of the user's listens.
        """
        wanted = {"$in": sorted(recordings)}
        query = {"user_name": user_name, "$or": [{name: wanted} for name in RECORDING_IDS]}
        found = list(self._listens.find(query))
        return {
            document[name]: _event(document) for name in RECORDING_IDS for document in found if name in document
        }

    def count(self, user_name: str, *, before: int | None = None, after: int | None = None) -> int:
        """Count the listens of a user: all, or those strictly before and strictly after a time."""
        return self._listens.count_documents(_query(user_name, before, after))

    def span(self, user_name: str) -> Span | None:
        """Find the newest and the oldest listen; None if there is none."""
        ends = [
            self._listens.find_one({"user_name": user_name}, {"listened_at": 1}, sort=[("listened_at", order)])
            for order in (DESCENDING, ASCENDING)
        ]
        newest, oldest = ends
        return Span(newest["listened_at"], oldest["listened_at"]) if newest and oldest else None

    def ids(self, user_name: str, listened_at: int, recording_msid: str) -> list[str]:
        """Find the event ids of a listen."""
        query = {"user_name": user_name, "listened_at": listened_at, "recording_msid": recording_msid}
        return [found["_id"] for found in self._listens.find(query, {"_id": 1})]

    def remove(self, user_name: str, listened_at: int, recording_msid: str) -> int:
        """Remove a listen; return how many there were."""
        query = {"user_name": user_name, "listened_at": listened_at, "recording_msid": recording_msid}
        return self._listens.delete_many(query).deleted_count

    def discard(self, events: Iterable[Listen]) -> None:
        """Remove events."""
        self._listens.delete_many({"_id": {"$in": [event.event_id for event in events]}})

    def remove_user(self, user_name: str) -> int:
        """Remove all listens of a user; return how many there were."""
        return self._listens.delete_many({"user_name": user_name}).deleted_count


@contextmanager
def present_stay() -> Iterator[None]:
    """Let an unordered bulk write leave alone what is there: of its errors, duplicate keys are none.

    Raises
    ------
    BulkWriteError
        If something could not be written for another reason, or not journaled.
    """
    try:
        yield
    except BulkWriteError as error:
        failed = any(each["code"] != DUPLICATE_KEY for each in error.details["writeErrors"])
        if failed or error.details.get("writeConcernErrors"):
            raise


def _query(user_name: str, before: int | None, after: int | None) -> dict[str, Any]:
    bounds = {"$lt": before, "$gt": after}
    given = {operator: bound for operator, bound in bounds.items() if bound is not None}
    return {"user_name": user_name} | ({"listened_at": given} if given else {})


def _document(event: Listen) -> dict[str, Any]:
    document = {
        "_id": event.event_id,
        "user_name": event.user_name,
        "listened_at": event.listened_at,
        "recording_msid": event.recording_msid,
        "event": event.model_dump_json(exclude_none=True),
    }
    return document | ({"recording_mbid": event.recording_mbid} if event.recording_mbid else {})


def _event(document: dict[str, Any]) -> Listen:
    return Listen.model_validate_json(document["event"])

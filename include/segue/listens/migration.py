"""Migrate the collection `listens` to its current form: the indexes, and the documents of the previous version.

The previous version had two collections:

- `listens` had what the API shows. Its documents had no `named`, `recordings`, `track_id` and `listener`.
- `plays` had what recommendations were made from: all matched listens, including those without names.

Now `listens` has all of them.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from itertools import islice
from typing import Final

from pymongo import ReplaceOne
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import OperationFailure

from segue.listens.events import Listen
from segue.listens.removals import Removals
from segue.listens.store import COLLECTION, INDEXES, Document, ListenStore, document_of, event_of

log = logging.getLogger(__name__)

PLAYS: Final = "plays"
OF_THE_API_BEFORE: Final = "user_name_1_listened_at_-1"
OLD_FORM: Final = {"named": {"$exists": False}}
MIGRATED_AT_ONCE: Final = 500


def prepare(database: Database[Document], say: Callable[[str], None] = log.info) -> None:
    """Migrate the collection and its indexes to the current form.

    The last of the indexes is created when all documents are migrated. Documents of the previous form are searched
    for only while this index is missing or `plays` exists. So the next call continues a migration that was killed.
    After a finished migration, a call costs two requests. Several processes may migrate at the same time.

    Parameters
    ----------
    database : pymongo.database.Database
    say : callable, optional
        Called with a progress message after every few hundred documents of the previous form.
    """
    listens = database[COLLECTION]
    *indexes, last = INDEXES
    has_plays = bool(database.list_collection_names(filter={"name": PLAYS}))
    if last.document["name"] in listens.index_information() and not has_plays:
        return
    _rewrite(listens, say)
    if has_plays:
        _take_over(database, say)
        database[PLAYS].drop()
    listens.create_indexes(indexes)
    if OF_THE_API_BEFORE in listens.index_information():
        listens.drop_index(OF_THE_API_BEFORE)
    listens.create_indexes([last])


def _rewrite(listens: Collection[Document], say: Callable[[str], None]) -> None:
    """Replace the documents of the previous form by documents made from their events."""
    done = 0
    for page in _pages(listens.find(OLD_FORM, batch_size=MIGRATED_AT_ONCE)):
        # Skip documents that have been removed or matched again since they were read.
        replaced = [ReplaceOne({"_id": each["_id"], **OLD_FORM}, document_of(event_of(each))) for each in page]
        listens.bulk_write(replaced, ordered=False)
        done += len(page)
        say(f"{done:,} listens in MongoDB now have their track, for recommendations.")


def _take_over(database: Database[Document], say: Callable[[str], None]) -> None:
    """Copy the plays that `listens` does not have. Most are events of version 1, which have no names."""
    store, removals, done = ListenStore(database), Removals(database), 0
    try:
        for page in _pages(database[PLAYS].find(batch_size=MIGRATED_AT_ONCE)):
            ids = {"$in": [play["_id"] for play in page]}
            there = {found["_id"] for found in database[COLLECTION].find({"_id": ids}, {"_id": 1})}
            missing = [_event(play) for play in page if play["_id"] not in there]
            removals.store(missing, store.put, store.discard)
            done += len(page)
            say(f"{done:,} plays in MongoDB are among the listens now.")
    except OperationFailure:
        if database.list_collection_names(filter={"name": PLAYS}):
            raise
        # Another process has copied all of them and dropped the collection.


def _event(play: Document) -> Listen:
    """Create an event without names from a play, because a play has none.

    If the message of the play has names in Kafka, the API has not read it yet. When the API reads the message, it
    stores the event with the names. So the event without names must have another id. A history holds a track only
    once for each second, so the two events count once.
    """
    named = play.get("recording_msid") is not None
    return Listen(
        schema_version=1,
        event_id=f"{PLAYS}/{play['_id']}" if named else play["_id"],
        user_name=play["user_name"],
        track_id=play["track_id"],
        listened_at=play["listened_at"],
        recording_msid=play.get("recording_msid"),
        recording_mbid=play.get("recording_mbid"),
    )


def _pages(documents: Iterator[Document]) -> Iterator[list[Document]]:
    return iter(lambda: list(islice(documents, MIGRATED_AT_ONCE)), [])

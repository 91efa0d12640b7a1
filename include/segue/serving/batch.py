"""Recommend to everybody at once: what a training does with a new champion."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo import ReplaceOne
from pymongo.collection import Collection
from pymongo.database import Database

from segue.models.ranking.recommend import Wishes
from segue.serving.champion import Served
from segue.serving.histories import History
from segue.serving.lists import COLLECTION, Document, documents, hated_by, listener_of
from segue.streaming.store import present_stay

BATCH = 500


def recommend_all(database: Database[dict[str, Any]], served: Served, histories: Mapping[str, History]) -> int:
    """Replace every listener's recommendations, and remove those of listeners who are not among `histories`.

    A document that the live recommendations have written meanwhile is newer, and stays.

    Parameters
    ----------
    database
        The corpus' database.
    served
        The new champion.
    histories
        What each listener has played.

    Returns
    -------
    int
        Number of listeners.
    """
    began = time.time()
    collection = database[COLLECTION]
    hated = hated_by(database, histories)
    for names in _batches(sorted(histories)):
        listeners = {name: listener_of(served, histories[name], hated.get(name, ())) for name in names}
        replace_older(collection, documents(served, listeners, now=began, wishes=Wishes()))
    known = set(histories)
    gone = [name for name in collection.distinct("_id") if name not in known]
    collection.delete_many({"_id": {"$in": gone}, "generated_at": {"$lt": datetime.fromtimestamp(began, UTC)}})
    return len(histories)


def replace_older(collection: Collection[dict[str, Any]], documents: Iterable[Document]) -> None:
    """Replace what was recommended before; a document that is newer stays."""
    writes = [
        ReplaceOne({"_id": each["_id"], "generated_at": {"$lte": each["generated_at"]}}, each, upsert=True)
        for each in documents
    ]
    with present_stay():  # where a newer document is, the upsert finds its id taken
        collection.bulk_write(writes, ordered=False)


def _batches(names: list[str]) -> Iterator[list[str]]:
    return (names[start : start + BATCH] for start in range(0, len(names), BATCH))

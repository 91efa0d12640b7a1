"""Recommend to all listeners, after a new champion has been promoted."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from pymongo import ReplaceOne
from pymongo.collection import Collection
from pymongo.database import Database

from segue.listens.store import duplicates_ignored
from segue.recommender.serving.champion import Served
from segue.recommender.serving.lists import COLLECTION, Document, documents, hated_by
from segue.recommender.serving.recommend import Listener, Wishes
from segue.runs.progress import parts

BATCH = 500


def recommend_all(database: Database[dict[str, Any]], served: Served, listeners: Mapping[str, Listener]) -> None:
    """Replace every listener's recommendations, and remove those of users who are not among `listeners`.

    The live recommendations may have written a newer document meanwhile. Such a document stays.

    Parameters
    ----------
    database
        The corpus' database.
    served
        The new champion.
    listeners
        By name, what each listener has played, as positions in the champion's catalogue.
    """
    began = time.time()
    collection = database[COLLECTION]
    pages = list(pages_of(list(listeners)))
    for names in parts(pages, len(pages), f"Recommending to {len(listeners):,} listeners"):
        hated = hated_by(database, names)
        page = {
            name: replace(listeners[name], hated=served.model.catalogue.positions(hated.get(name, ())))
            for name in names
        }
        replace_older(collection, documents(served, page, now=began, wishes=Wishes()))
    # By now, each of `listeners` has a list made at `began` or later. Older lists belong to other users.
    collection.delete_many({"generated_at": {"$lt": datetime.fromtimestamp(began, UTC)}})


def replace_older(collection: Collection[dict[str, Any]], documents: Iterable[Document]) -> None:
    """Replace the recommendations that are in the collection, unless they are newer."""
    writes = [
        ReplaceOne({"_id": each["_id"], "generated_at": {"$lte": each["generated_at"]}}, each, upsert=True)
        for each in documents
    ]
    with duplicates_ignored():  # if there is a newer document, the upsert fails because the id is taken
        collection.bulk_write(writes, ordered=False)


def pages_of(names: list[str]) -> Iterator[list[str]]:
    """Divide names into pages of `BATCH`."""
    return (names[start : start + BATCH] for start in range(0, len(names), BATCH))

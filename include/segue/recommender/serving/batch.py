"""Recommend to all listeners, after a new champion has been promoted.

    plays ─► pages of listeners ─► lists, ranked and written to MongoDB by Spark's executors
    champion ─► archive ─► unpacked by each executor, and mapped into the memory of its Python workers

A task ranks one page. A job has the pages of some listens, so that the driver never holds those of all.
"""

from __future__ import annotations

import tarfile
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import numpy as np
from pymongo import ReplaceOne
from pymongo.collection import Collection
from pymongo.database import Database

from segue.connections import mongo
from segue.listens.store import duplicates_ignored
from segue.recommender.interactions import Interactions
from segue.recommender.model import Recommender
from segue.recommender.serving.champion import Served
from segue.recommender.serving.lists import COLLECTION, Document, documents, hated_by
from segue.recommender.serving.recommend import Listener, Wishes
from segue.runs.progress import step

if TYPE_CHECKING:
    from pyspark import Accumulator, SparkContext
    from pyspark.sql import SparkSession

    from segue.settings import Settings

BATCH = 500
"""Listeners of a page."""

LISTENS = 4_000_000
"""Listens of a job. The driver's JVM holds at most 20 bytes for each of them."""

Listeners = Mapping[str, Listener]
"""By name."""


def recommend_all(
    spark: SparkSession,
    database: Database[dict[str, Any]],
    settings: Settings,
    served: Served,
    plays: Interactions,
) -> None:
    """Replace every listener's recommendations, and remove those of users who have no plays.

    The live recommendations may have written a newer document meanwhile. Such a document stays.

    Parameters
    ----------
    spark
        Its executors rank and write.
    database
        The corpus' database.
    settings
        They have the address of the document server, for the executors.
    served
        The new champion.
    plays
        Of the tracks of the champion's catalogue, with times.
    """
    began = time.time()
    context = spark.sparkContext
    count = int(np.count_nonzero(plays.listens_of_each()))
    written: Accumulator[int] = context.accumulator(0)
    with step(f"Recommending to {count:,} listeners", lambda: f"{written.value:,} lists written"):
        archive = send(context, served.model)
        write = list_writer(settings.mongo, database.name, served.version, archive, began, written)
        for pages in jobs(plays):
            context.parallelize(pages, len(pages)).foreach(write)
    # By now, each listener has a list made at `began` or later. Older lists belong to other users.
    database[COLLECTION].delete_many({"generated_at": {"$lt": datetime.fromtimestamp(began, UTC)}})


def send(context: SparkContext, model: Recommender) -> str:
    """Send a recommender to the executors, which unpack it when their next task starts.

    Returns
    -------
    str
        The name that :func:`received` knows it by.
    """
    from pyspark import SparkFiles

    name = f"recommender-{uuid.uuid4().hex}"
    # Spark removes this folder when the session ends. Until then, an executor may start and fetch the archive.
    folder = Path(SparkFiles.getRootDirectory())
    archive = folder / f"{name}-sent.tar"
    with TemporaryDirectory(dir=folder) as saved, tarfile.open(archive, "w") as tar:
        model.save(Path(saved))
        for file in Path(saved).iterdir():
            tar.add(file, file.name)
    context.addArchive(f"{archive.as_uri()}#{name}")
    return name


@lru_cache(maxsize=1)
def received(name: str) -> Recommender:
    """Load a recommender in an executor's Python worker, once. The workers of an executor share its memory."""
    from pyspark import SparkFiles

    return Recommender.load(Path(SparkFiles.get(name)))


def list_writer(
    uri: str, database: str, version: str, archive: str, now: float, written: Accumulator[int]
) -> Callable[[Listeners], None]:
    """Return the function that ranks and writes the lists of a page of listeners in an executor.

    Parameters
    ----------
    uri, database : str
        Connection string of the document server, and name of the database.
    version : str
        Version of the champion.
    archive : str
        From :func:`send`.
    now : float
        When the lists are made, in seconds since 1970.
    written : Accumulator
        Counts the lists.
    """

    def write(listeners: Listeners) -> None:
        with mongo.database(uri, database) as opened:
            recommend_to(opened, Served(version, received(archive)), listeners, now=now)
        written.add(len(listeners))

    return write


def recommend_to(database: Database[dict[str, Any]], served: Served, listeners: Listeners, *, now: float) -> None:
    """Replace the recommendations of some listeners, unless there are newer ones.

    Parameters
    ----------
    database
        The corpus' database.
    served
        The champion.
    listeners
        By name, what each listener has played, as positions in the champion's catalogue. Hated tracks are looked
        up.
    now
        When the lists are made, in seconds since 1970.
    """
    hated = hated_by(database, listeners)
    known = {
        name: replace(listener, hated=served.model.catalogue.positions(hated.get(name, ())))
        for name, listener in listeners.items()
    }
    replace_older(database[COLLECTION], documents(served, known, now=now, wishes=Wishes()))


def jobs(plays: Interactions) -> Iterator[list[Listeners]]:
    """Divide the listeners who have plays into Spark jobs, and the listeners of each job into pages, its tasks."""
    ends = np.cumsum(plays.listens_of_each())
    number = (ends - 1) // LISTENS
    for job in np.unique(number[ends > 0]):
        first, end = np.searchsorted(number, [job, job + 1])
        found = listeners_of(plays.of_listeners(first, end))
        yield [{name: found[name] for name in names} for names in pages_of(list(found))]


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


def listeners_of(plays: Interactions) -> Listeners:
    """Group plays by listener, in the order of the listeners' names.

    Parameters
    ----------
    plays : Interactions
        They must have times. Plays of a track by a listener in the same second count as one, the larger one.
    """
    at = np.asarray(plays.timestamp).astype(np.int64)
    order = np.lexsort((-plays.plays, at, plays.item, plays.user))
    user, item, at = plays.user[order], plays.item[order], at[order]
    first = np.ones(len(order), dtype=bool)  # the first play of a track by a listener
    first[1:] = (user[1:] != user[:-1]) | (item[1:] != item[:-1])
    counted = first.copy()
    counted[1:] |= at[1:] != at[:-1]
    starts = np.flatnonzero(first)
    weights = np.where(counted, plays.plays[order], 0).astype(np.float32)
    times = np.add.reduceat(weights, starts) if len(starts) else np.empty(0, dtype=np.float32)
    last = at[np.append(starts[1:], len(order)) - 1] if len(starts) else at
    tracks = item[starts].astype(np.int64)
    bounds = np.searchsorted(user[starts], np.arange(len(plays.users) + 1))
    rows = (slice(begin, end) for begin, end in pairwise(bounds.tolist()))
    return {
        str(name): Listener(tracks[row], times[row], last[row])
        for name, row in zip(plays.users, rows, strict=True)
        if row.stop > row.start
    }

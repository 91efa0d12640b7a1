"""Compare the listens of the lake with those of MongoDB, id by id, and note what either lacks.

The offsets of :mod:`segue.listens.losses` show that a whole store is behind, but not that single documents or rows
are gone. A comparison of all ids does. If there are many, each day compares another slice of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import date
from typing import TYPE_CHECKING, Any

from pymongo.database import Database

from segue.connections import delta_tables
from segue.listens.events import Listen
from segue.listens.lake_table import ListensTable, standing
from segue.listens.losses import Followed
from segue.listens.removals import Removals
from segue.listens.store import COLLECTION, PREFIXES, event_of, id_bounds, in_parts
from segue.settings import Settings

if TYPE_CHECKING:
    from pyspark.sql import DataFrame

AT_ONCE = 200_000
"""Number of ids of a slice. They are held in memory twice."""
SETTLED_S = 3_600.0
"""MongoDB may have events that Kafka acknowledged after the lake was written. They are newer than this."""
ASKED_AT_ONCE = 1_000


def slice_of(rows: int, day: date) -> tuple[int, int]:
    """Return which parts of the ids are compared on a day: the first one, and the one after the last.

    Parameters
    ----------
    rows : int
        Number of listens.
    day : date
        The day. After at most `PREFIXES` days in a row, all ids were compared.
    """
    slices = min(-(-rows // AT_ONCE) or 1, PREFIXES)
    number = day.toordinal() % slices
    return number * PREFIXES // slices, (number + 1) * PREFIXES // slices


def compare(settings: Settings, database: Database[Any], table: ListensTable, *, before: float, day: date) -> str:
    """Compare a slice of the ids, and note what MongoDB or the lake lacks.

    Listens that were removed are not missed.

    Parameters
    ----------
    settings : Settings
    database : pymongo.database.Database
        The corpus' database.
    table : ListensTable
        It must exist and have all messages of Kafka that were acknowledged before `before`.
    before : float
        In seconds since 1970.
    day : date
        Chooses the slice.

    Returns
    -------
    str
        A sentence for the log.
    """
    followed = Followed(database, settings.listens_topic)
    reached = followed.offsets()
    if reached is None or table.offsets(settings.listens_topic).ahead_of(reached):
        return "MongoDB has not caught up with Kafka, so its listens were not compared with the lake."
    [counted] = delta_tables.query(table.location, "SELECT count(*) AS listens FROM rows")
    first, after = slice_of(counted["listens"], day)
    low, high = id_bounds(first, after)
    ids = f"SELECT event_id FROM rows WHERE event_id >= '{low}' AND event_id < '{high}'"  # noqa: S608 - own text
    in_lake = {row["event_id"] for row in delta_tables.query(table.location, ids)}
    in_mongodb = {document["_id"] for document in in_parts(database, "_id", first=first, after=after)}
    here = _standing_rows(table, in_lake - in_mongodb, Removals(database))
    there = sum(1 for _ in _settled(database, in_mongodb - in_lake, before - SETTLED_S))
    followed.miss("mongodb", here)
    followed.miss("lake", there)
    return f"{len(in_lake):,} listens were compared: MongoDB lacks {here:,} of them, and the lake lacks {there:,}."


def _standing_rows(table: ListensTable, ids: set[str], removals: Removals) -> int:
    if not ids:
        return 0
    wanted: DataFrame = table.spark.createDataFrame([(each,) for each in ids], "event_id string")
    removed = table.spark.createDataFrame(list(removals.all().items()), "key string, removed_at double")
    return standing(table.read().join(wanted, "event_id", "left_semi"), removed).count()


def _settled(database: Database[Any], ids: Iterable[str], before: float) -> Iterator[Listen]:
    """Read the events with these ids that were received before a moment and have not been removed."""
    removals, ordered = Removals(database), sorted(ids)
    for start in range(0, len(ordered), ASKED_AT_ONCE):
        wanted = {"_id": {"$in": ordered[start : start + ASKED_AT_ONCE]}}
        events = map(event_of, database[COLLECTION].find(wanted, {"event": 1}))
        yield from removals.standing(each for each in events if 0 < (each.received_at or 0) < before)

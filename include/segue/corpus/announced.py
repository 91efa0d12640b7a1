"""Which days have changed since they were announced last.

The collection ``announced`` holds a document for each announced day: how many tracks it had, and a digest of them.
It is written after the announcement. So a kill in between repeats an announcement and loses none.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pymongo import DeleteOne, ReplaceOne
from pymongo.database import Database
from pyspark.sql import functions as sf

from segue.corpus.days import Days
from segue.corpus.documents import documents, within
from segue.corpus.lake import Lake
from segue.corpus.schema import PARTITION

COLLECTION = "announced"


@dataclass(frozen=True)
class Change:
    """A day whose tracks are no longer those that were announced.

    Attributes
    ----------
    day : str
        YYYY-MM-DD.
    tracks : int
        How many it has now; 0 if it has none any more.
    digest : int
        Of all that is published of them, whatever their order.
    """

    day: str
    tracks: int
    digest: int


def changes(lake: Lake, database: Database[Any], days: Days) -> list[Change]:
    """Compare days of the lake with what was announced of them.

    Parameters
    ----------
    lake : Lake
    database : pymongo.database.Database
    days : Days
        Which have just been published.

    Returns
    -------
    list of Change
        By day.
    """
    published = documents(lake.read("tracks").where(days.condition))
    counted = published.groupBy(PARTITION).agg(sf.count("*").alias("tracks"), sf.bit_xor("digest").alias("digest"))
    found = {row[PARTITION]: Change(row[PARTITION], row["tracks"], row["digest"]) for row in counted.collect()}
    announced = database[COLLECTION].find(within(days))
    told = {each["day"]: Change(each["day"], each["tracks"], each["digest"]) for each in announced}
    gone = {day: Change(day, 0, 0) for day in told.keys() - found.keys()}
    return [change for day, change in sorted((found | gone).items()) if told.get(day) != change]


def note(database: Database[Any], announced: Sequence[Change]) -> None:
    """Keep what has been announced."""
    writes = [
        ReplaceOne({"_id": change.day}, {PARTITION: change.day} | asdict(change), upsert=True)
        if change.tracks
        else DeleteOne({"_id": change.day})
        for change in announced
    ]
    if writes:
        database[COLLECTION].bulk_write(writes, ordered=False)

"""Find the days that have changed since their last announcement.

The collection ``announced`` holds a document for each announced day: the number of its tracks, and a digest of
them. The document is written after the announcement. If the run is killed in between, the day is announced again,
and no announcement is lost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from pymongo import DeleteOne, ReplaceOne, UpdateOne
from pymongo.database import Database
from pyspark.sql import functions as sf

from segue.corpus.days import Days
from segue.corpus.documents import documents, within
from segue.corpus.lake import Lake
from segue.corpus.schema import PARTITION
from segue.tracks.collection import ANNOUNCED

COLLECTION = ANNOUNCED


@dataclass(frozen=True)
class Change:
    """A day whose tracks are no longer those that were announced.

    Attributes
    ----------
    day : str
        YYYY-MM-DD.
    tracks : int
        Number of tracks that the day has now; 0 if all of them are gone.
    digest : int
        Digest of the documents of these tracks. Their order does not matter.
    """

    day: str
    tracks: int
    digest: int


def changes(lake: Lake, database: Database[Any], days: Days) -> list[Change]:
    """Find the days of the lake that differ from their last announcement.

    Parameters
    ----------
    lake : Lake
    database : pymongo.database.Database
    days : Days
        The days that have just been published.

    Returns
    -------
    list of Change
        Sorted by day.
    """
    published = documents(lake.read("tracks").where(days.condition))
    counted = published.groupBy(PARTITION).agg(sf.count("*").alias("tracks"), sf.bit_xor("digest").alias("digest"))
    found = {row[PARTITION]: Change(row[PARTITION], row["tracks"], row["digest"]) for row in counted.collect()}
    announced = database[COLLECTION].find(within(days))
    told = {each["day"]: Change(each["day"], each["tracks"], each["digest"]) for each in announced}
    gone = {day: Change(day, 0, 0) for day in told.keys() - found.keys()}
    return [change for day, change in sorted((found | gone).items()) if told.get(day) != change]


def note(database: Database[Any], announced: Sequence[Change]) -> None:
    """Store what has been announced. Later, `changes` compares with it."""
    writes = [
        ReplaceOne({"_id": change.day}, {PARTITION: change.day} | asdict(change), upsert=True)
        if change.tracks
        else DeleteOne({"_id": change.day})
        for change in announced
    ]
    if writes:
        database[COLLECTION].bulk_write(writes, ordered=False)


def expect_fewer(database: Database[Any], tracks_by_day: Mapping[str, int]) -> None:
    """Subtract the tracks that are about to be deleted, so that they are not taken for lost."""
    fewer = [UpdateOne({"_id": day}, {"$inc": {"tracks": -count}}) for day, count in tracks_by_day.items()]
    if fewer:
        database[COLLECTION].bulk_write(fewer, ordered=False)

"""The corpus by day: files, tracks, rejected files, and what of it is published. It is read without Spark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any

from pymongo.database import Database

from segue.corpus import quarantine, rejected
from segue.corpus.questions import rows_by_day
from segue.corpus.reports import InventoryReport
from segue.runs import summaries
from segue.tracks.collection import ANNOUNCED


class DayState(StrEnum):
    """How far a day has come."""

    PUBLISHED = "published"
    WAITING = "not published yet"
    QUARANTINED = "in quarantine"
    WITHOUT_TRACKS = "no usable file"


@dataclass(frozen=True)
class Day:
    """The files of a day, and their state."""

    files: int
    rejects: int
    state: DayState


@dataclass(frozen=True)
class Quarantined:
    """A range of days that the quality gate has refused.

    Attributes
    ----------
    first, last : date
    failed : sequence of str
        Each check that failed, with what was measured.
    since : datetime
    run_id : str
        ``<dag_id>/<run_id>``.
    """

    first: date
    last: date
    failed: Sequence[str]
    since: datetime
    run_id: str


@dataclass(frozen=True)
class Corpus:
    """The state of the corpus.

    Attributes
    ----------
    tracks : int
        Documents in MongoDB.
    files : int
    rejected : mapping of str to int
        Files by reason code.
    days : mapping of date to Day
        The days that have files.
    quarantined : sequence of Quarantined
    size_mb : float or None
        Size of all audio files. None before the first inventory.
    """

    tracks: int
    files: int
    rejected: Mapping[str, int]
    days: Mapping[date, Day]
    quarantined: Sequence[Quarantined]
    size_mb: float | None = None

    def in_state(self, state: DayState) -> list[date]:
        """List the days in a state, the newest first."""
        return sorted((day for day, known in self.days.items() if known.state is state), reverse=True)


def read(lake_uri: str, database: Database[Any]) -> Corpus:
    """Read the state of the corpus from the lake and MongoDB.

    Parameters
    ----------
    lake_uri : str
        Root of the Delta tables.
    database : pymongo.database.Database

    Returns
    -------
    Corpus

    Raises
    ------
    LakeError, ServiceUnavailableError
        If a table cannot be read.
    ReportError
        If the newest inventory's report cannot be read.
    """
    files, features = (rows_by_day(lake_uri, name) for name in ("inventory", "features"))
    rejects = rejected.find(lake_uri)
    rejects_of = Counter(file.day for file in rejects)
    announced = {date.fromisoformat(each["_id"]): each["tracks"] for each in database[ANNOUNCED].find()}
    held = [_quarantined(document) for document in database[quarantine.COLLECTION].find()]
    days = {}
    for day, number in files.items():
        tracks = features.get(day, 0)
        if any(each.first <= day <= each.last for each in held):
            state = DayState.QUARANTINED
        elif number != tracks + rejects_of[day] or announced.get(day, 0) != tracks:
            state = DayState.WAITING
        else:
            state = DayState.PUBLISHED if tracks else DayState.WITHOUT_TRACKS
        days[day] = Day(number, rejects_of[day], state)
    inventory = summaries.newest("corpus", InventoryReport, source=database)
    return Corpus(
        tracks=sum(announced.values()),  # a count would make the document server read all tracks
        files=sum(files.values()),
        rejected=rejected.by_reason(rejects),
        days=days,
        quarantined=held,
        size_mb=inventory.report.found.size_mb if inventory else None,
    )


def _quarantined(document: Mapping[str, Any]) -> Quarantined:
    first, last = (date.fromisoformat(document[name]) for name in ("first_day", "last_day"))
    dag_id, run_id = document["_id"].split("/")[:2]  # a late day follows the id of the run
    return Quarantined(first, last, document["failed"], document["since"], f"{dag_id}/{run_id}")

"""What the job `ingest_listens` reports, and how trainings count the listens that they have read.

`segue.runs.summaries` writes and reads these models.

Version 0 is that of November 2026, when reports had no types.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from pydantic import Field

from segue.runs.summaries import Part, Report, fields_of


class Ingested(Part):
    """What was read from Kafka and written to the lake.

    Attributes
    ----------
    messages : int
        Messages of the window that was read.
    events : int
        Events that were written, each once.
    unreadable : int
        Messages that are no events.
    days : int
        Days of listening that were written.
    offsets : dict of str to str
        First and last offset of the window, by partition.
    """

    messages: int = 0
    events: int = 0
    unreadable: int = 0
    days: int = 0
    offsets: dict[str, str] = Field(default_factory=dict)


class MissedArtist(Part):
    """How many unmatched listens there are of an artist."""

    artist: str
    listens: int


class Rematched(Part):
    """What matching listens again has come to, in listens.

    Attributes
    ----------
    rematched : int
        Listens that got a track, or the track with their MBID.
    unmatched : int
        Listens without a track.
    unmatched_artists : tuple of MissedArtist
        Those with the most unmatched listens.
    """

    rematched: int = 0
    unmatched: int = 0
    unmatched_artists: tuple[MissedArtist, ...] = ()


class Held(Part):
    """What the table holds of some days.

    Attributes
    ----------
    days : str
        Name of the days.
    listens, matched, skipped, listeners : int
        Listens in all, those that match a track, those that are skips, and users.
    """

    days: str
    listens: int
    matched: int
    skipped: int = 0
    listeners: int


class ScreenedListens(Part):
    """How many messages a training has read; they add up.

    Attributes
    ----------
    messages : int
        Messages in all.
    used : int
        Those that are learned from.
    rejected : dict of str to int
        The others by reason.
    """

    messages: int
    used: int
    rejected: dict[str, int]


class ListensReport(Report):
    """What the job `ingest_listens` has done.

    Attributes
    ----------
    ingested : Ingested
    taken_back : int
        Listens that were removed since users have taken them back.
    rematched : Rematched
    held : Held or None
        None while nothing has been written to the table.
    seconds : float
        Wall time of the job, seconds.
    """

    JOB: ClassVar[str] = "ingest_listens"

    ingested: Ingested
    taken_back: int
    rematched: Rematched
    held: Held | None
    seconds: float

    def sentence(self) -> str:
        """Return what was written to the lake, and what still matches no track."""
        ingested, rematched = self.ingested, self.rematched
        return (
            f"{ingested.events:,} listens of {ingested.days:,} days were written to the lake's table `listens`; "
            f"{ingested.unreadable:,} messages cannot be read (`segue dlq list`). {rematched.rematched:,} older "
            f"listens match a track now, {rematched.unmatched:,} match none."
        )

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Read version 0, which kept all figures on one level."""
        return {
            "ingested": fields_of(Ingested, document),
            "taken_back": document.get("taken_back", 0),
            "rematched": fields_of(Rematched, document),
            "held": document.get("table"),
            "seconds": document["seconds"],
        }

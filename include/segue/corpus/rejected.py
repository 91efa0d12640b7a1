"""The rejected files of the corpus, by path. They are read from the lake's table `rejects` without Spark."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

from segue.audio.reasons import REMEDIES, Reason
from segue.connections import delta_tables
from segue.corpus.schema import PARTITION
from segue.errors import CorpusError

COLUMNS = ("path", PARTITION, "reason", "message", "size_bytes")


@dataclass(frozen=True)
class RejectedFile:
    """A file that is no track.

    Attributes
    ----------
    path : str
        Relative to the music folder, written as `segue.corpus.paths` says.
    day : date
        Day on which the file entered the corpus.
    reason : str
        Reason code, see `segue.audio.reasons.Reason`.
    message : str
        What is wrong with this file, in a sentence.
    size_bytes : int
    """

    path: str
    day: date
    reason: str
    message: str
    size_bytes: int

    @property
    def remedy(self) -> str:
        """What to do about it."""
        return remedy(self.reason)

    def document(self) -> dict[str, Any]:
        """Return the file for JSON, with its remedy."""
        return {**vars(self), "day": self.day.isoformat(), "remedy": self.remedy}


def remedy(reason: str) -> str:
    """Return what to do about files with a reason. Empty if a newer version of Segue has written the reason."""
    return REMEDIES[Reason(reason)] if reason in set(Reason) else ""


def find(
    lake_uri: str,
    *,
    reason: str | None = None,
    first: date | None = None,
    last: date | None = None,
    late: Collection[date] = (),
) -> list[RejectedFile]:
    """List the rejected files, by day and path.

    Parameters
    ----------
    lake_uri : str
        Root of the Delta tables.
    reason : str, optional
        Only files with this reason code, in capital or small letters.
    first, last : date, optional
        Only files of these days, inclusive.
    late : collection of date
        Further days, besides the range.

    Returns
    -------
    list of RejectedFile

    Raises
    ------
    CorpusError
        If there is no such reason code.
    LakeError
        If the table cannot be read.
    """
    bounds = [f"{PARTITION} {sign} {_date(day)}" for sign, day in ((">=", first), ("<=", last)) if day]
    within = " AND ".join(bounds) or "TRUE"
    if late and bounds:
        within = f"(({within}) OR {PARTITION} IN ({', '.join(map(_date, late))}))"
    named = "TRUE" if reason is None else f"reason = '{_code(reason)}'"
    # Dates and codes only: nothing in this query comes from outside.
    sql = f"SELECT {', '.join(COLUMNS)} FROM rows WHERE {named} AND {within} ORDER BY {PARTITION}, path"  # noqa: S608
    return [RejectedFile(*row.values()) for row in delta_tables.query(f"{lake_uri}/rejects", sql)]


def by_reason(files: Iterable[RejectedFile]) -> dict[str, int]:
    """Count files by reason, the most frequent first."""
    return dict(Counter(file.reason for file in files).most_common())


def _code(reason: str) -> str:
    code = reason.strip().upper()
    if code not in set(Reason):
        raise CorpusError(f"{reason!r} is no reason code. The codes are {', '.join(sorted(Reason))}.")
    return code


def _date(day: date) -> str:
    return f"DATE '{day}'"

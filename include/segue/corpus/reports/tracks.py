"""The reports of the job `integrate` and of the quality gate."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Any, ClassVar

from segue.runs.summaries import Part, Report, fields_of

NO_GENRE = "(none)"
"""Name in reports for tracks without a genre."""


class DayCounts(Part):
    """Rows of the tables that must agree, of one day or of several.

    Attributes
    ----------
    files : int
        Rows of the inventory.
    features, rejects, tracks : int
    """

    files: int = 0
    features: int = 0
    rejects: int = 0
    tracks: int = 0

    @property
    def add_up(self) -> bool:
        """Whether each file has one outcome, and each file with features is a track."""
        return self.files - self.rejects == self.features == self.tracks

    @property
    def rejected_share(self) -> float:
        """Share of the files that were rejected, 0 to 1."""
        return self.rejects / max(self.files, 1)


class Measured(Part):
    """Figures of some days' tracks, as the quality gate wants to know them.

    Attributes
    ----------
    tracks, distinct_tracks : int
        Rows, and different track ids.
    bad_vectors : int
        Tracks whose vector is not 518 finite numbers.
    shortest_s, longest_s : float or None
        Durations, seconds; None without tracks.
    null : dict of str to int
        Tracks without a value, by column.
    quantiles : dict of str to tuple of float, or None
        By descriptor, at `segue.corpus.drift.PROBABILITIES`; None without tracks.
    flagged : dict of str to int
        Tracks with a flag of the kind `duplicate` or `outlier`.
    flags, changes : dict of str to int
        Tracks by code of a flag, and of what cleaning did to them.
    genres : dict of str to int
        Tracks by genre; `NO_GENRE` are those without one.
    genre_weights : dict of str to float
        By genre, see `segue.balance.class_weights`.
    """

    tracks: int
    distinct_tracks: int
    bad_vectors: int
    shortest_s: float | None
    longest_s: float | None
    null: dict[str, int]
    quantiles: dict[str, tuple[float, ...] | None]
    flagged: dict[str, int]
    flags: dict[str, int]
    changes: dict[str, int]
    genres: dict[str, int]
    genre_weights: dict[str, float]


class CleaningReport(Report):
    """What the job `integrate` has done.

    Attributes
    ----------
    asked_from, asked_to : date or None
        The range of days that was asked for, inclusive; None is unbounded.
    first_day, last_day : date or None
        The first and the last day of this range that has files or tracks.
    late_days : tuple of date
        Days besides the range.
    partitions : int
        Days that have files or tracks.
    metadata_digest : str
        As of `Comparison`.
    counts : DayCounts
        Of all days together.
    days : dict of str to DayCounts
        By day; of a long range only the days that look worst.
    measured : Measured
    seconds : float
        Wall time of the job, seconds.
    """

    JOB: ClassVar[str] = "integrate"

    asked_from: date | None
    asked_to: date | None
    first_day: date | None
    last_day: date | None
    late_days: tuple[date, ...]
    partitions: int
    metadata_digest: str
    counts: DayCounts
    days: dict[str, DayCounts]
    measured: Measured
    seconds: float

    def sentence(self) -> str:
        """Return how many tracks were merged and flagged."""
        flagged = self.measured.flagged
        return (
            f"{self.measured.tracks:,} tracks of {self.partitions:,} days are merged and clean. "
            f"{flagged['duplicate']:,} are flagged as duplicates, {flagged['outlier']:,} as outliers. "
            "The lake's table `tracks` has them, and the task quality_gate checks them."
        )

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Convert version 0, whose figures were not grouped into parts."""
        asked_from, asked_to = document["range"]
        days = {day: _counts_of_version_0(counts) for day, counts in document["days"].items()}
        return {
            **fields_of(cls, document),
            "asked_from": asked_from,
            "asked_to": asked_to,
            "counts": _counts_of_version_0(document),
            "days": days,
            "measured": fields_of(Measured, document),
        }


class CheckedFigure(Part):
    """One check of the quality gate, as `segue.corpus.gate.Check`.

    Attributes
    ----------
    name : str
        What was measured.
    value, low, high : float
        The measured value, and its bounds, inclusive.
    passed : bool
    remedy : str
        The setting with which the check would have passed; empty if there is none.
    """

    name: str
    value: float
    low: float
    high: float
    passed: bool
    remedy: str


class GateReport(Report):
    """The verdict of the quality gate.

    Attributes
    ----------
    passed : bool
    tracks : int
    failed : tuple of str
        Each check that failed, with what was measured.
    checks : tuple of CheckedFigure
        All checks. Empty in reports of version 1.
    """

    JOB: ClassVar[str] = "quality_gate"

    version: int = 2
    passed: bool
    tracks: int
    failed: tuple[str, ...]
    checks: tuple[CheckedFigure, ...] = ()


def _counts_of_version_0(document: Mapping[str, Any]) -> dict[str, Any]:
    return fields_of(DayCounts, {**document, "files": document["inventory"]})

"""What the jobs of the DAG `corpus` report; `segue.runs.summaries` writes and reads these models.

Version 0 is that of November 2026, when reports had no types. The methods `migrate` bring its documents into
today's form.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, ClassVar

from pydantic import computed_field
from pymongo.database import Database

from segue.runs import summaries
from segue.runs.summaries import Part, Report, fields_of

NO_GENRE = "(none)"
"""What a report calls tracks without a genre."""


class Comparison(Part):
    """The music folder and the metadata, compared with the inventory so far.

    Attributes
    ----------
    files : int
    size_mb : float
        Size of all files, megabytes.
    partitions : int
        Days on which these files entered the corpus.
    new, gone, changed : int
        Files that differ from the inventory so far.
    with_metadata : int
        Files that a row of the metadata names.
    metadata : dict of str to int
        What the metadata held and what of it was left out; `rows_without_file` is among them.
    files_digest, metadata_digest : str
        `segue.corpus.listing.digest`, and that of `segue.corpus.metadata.Metadata`.
    """

    files: int
    size_mb: float
    partitions: int
    new: int
    gone: int
    changed: int
    with_metadata: int
    metadata: dict[str, int]
    files_digest: str
    metadata_digest: str


class InventoryReport(Report):
    """What the job `inventory` has found.

    Attributes
    ----------
    music, source : str
        Where the files are, and where their metadata come from.
    found : Comparison
    late_days : tuple of date
        Earlier days that the nightly run processes again.
    """

    JOB: ClassVar[str] = "inventory"

    music: str
    source: str
    found: Comparison
    late_days: tuple[date, ...]

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Read version 0, whose figures stood side by side."""
        found = {**document, "size_mb": document.get("megabytes") or 0.0}
        return {
            **fields_of(cls, document),
            "found": fields_of(Comparison, found),
            "late_days": document.get("late_days", []),
        }


class PingReport(Report):
    """What the job `extract` would do; it has done nothing.

    Attributes
    ----------
    partitions : int
        Days that were looked at.
    would_extract : int
        Files that are new or changed.
    same_bytes : int
        Files of another time of change that hold the same bytes as before.
    """

    JOB: ClassVar[str] = "ping"

    partitions: int
    would_extract: int
    same_bytes: int


class Work(Part):
    """What an extraction has done itself; all is 0 where it found everything done.

    Attributes
    ----------
    extracted : int
        Files.
    same_bytes : int
        Files of another time of change that hold the same bytes as before.
    extracted_mb : float
        Size of the files that were extracted, megabytes.
    extracting_s : float
        Wall time of the extraction alone, seconds.
    seconds : float
        Wall time of the job, seconds.
    """

    extracted: int = 0
    same_bytes: int = 0
    extracted_mb: float = 0.0
    extracting_s: float = 0.0
    seconds: float = 0.0

    def __add__(self, other: Work) -> Work:
        """Add up field by field."""
        return Work(**{name: getattr(self, name) + getattr(other, name) for name in Work.model_fields})

    @computed_field  # type: ignore[prop-decorator] # mypy does not know properties below a decorator
    @property
    def tracks_per_s(self) -> float:
        """Files extracted in a second; 0 where there were none."""
        return self.extracted / self.extracting_s if self.extracting_s else 0.0

    @computed_field  # type: ignore[prop-decorator]
    @property
    def mb_per_s(self) -> float:
        """Megabytes extracted in a second; 0 where there were none."""
        return self.extracted_mb / self.extracting_s if self.extracting_s else 0.0


class Outcomes(Part):
    """How the files of some days stand in the lake.

    Attributes
    ----------
    files, features, rejects : int
        Rows of the inventory and of the tables of outcomes.
    rejected : dict of str to int
        Rows of `rejects` by reason.
    """

    files: int
    features: int
    rejects: int
    rejected: dict[str, int]


class LakeVersions(Part):
    """The last commit of each table that the integrated dataset is made from; -1 where there is no table."""

    inventory: int
    features: int
    rejects: int


class ExtractReport(Report):
    """What the job `extract` has done, and how the files of its days stand after it.

    Attributes
    ----------
    mode : str
        A value of `segue.corpus.plan.Mode`.
    days : str
        Name of the days.
    partitions : int
        Days that have files.
    lake : LakeVersions
        After the extraction.
    outcomes : Outcomes
    to_retry : int
        Files that the next run tries again although they have not changed, such as those without permission.
    work : Work
    """

    JOB: ClassVar[str] = "extract"

    mode: str
    days: str
    partitions: int
    lake: LakeVersions
    outcomes: Outcomes
    to_retry: int
    work: Work

    @computed_field  # type: ignore[prop-decorator]
    @property
    def skipped(self) -> int:
        """Files that were done before."""
        return max(self.outcomes.files - self.work.extracted, 0)

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Read version 0, whose figures stood side by side."""
        extracting_s = document["seconds_extracting"]
        work = {
            **document,
            "extracting_s": extracting_s,
            "extracted_mb": document["megabytes_per_s"] * extracting_s,
        }
        return {
            **fields_of(cls, document),
            "outcomes": fields_of(Outcomes, {**document, "files": document["inventory"]}),
            "work": fields_of(Work, work),
        }


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

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Read version 0, whose figures stood side by side."""
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


class GateReport(Report):
    """The verdict of the quality gate.

    Attributes
    ----------
    passed : bool
    tracks : int
    failed : tuple of str
        Each check that failed, with what was measured.
    """

    JOB: ClassVar[str] = "quality_gate"

    passed: bool
    tracks: int
    failed: tuple[str, ...]


class Published(Part):
    """What bringing the collection in step with the lake has changed.

    Attributes
    ----------
    collection : str
        Database and collection.
    tracks : int
        Tracks of the days that were published.
    written, removed : int
        Documents that were inserted or replaced, and that were deleted.
    tracks_in_collection : int
        Documents of all days.
    seconds : float
        Wall time, seconds.
    """

    collection: str
    tracks: int
    written: int
    removed: int
    tracks_in_collection: int
    seconds: float


class PublishReport(Report):
    """What the job `publish` has done.

    Attributes
    ----------
    published : Published
    days_announced : int
        Changed days of which the Kafka topic `tracks` got a message.
    unchanged_since : str or None
        The run whose publication still stands, where nothing had to be published.
    """

    JOB: ClassVar[str] = "publish"

    published: Published
    days_announced: int
    unchanged_since: str | None = None

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Read version 0, whose figures stood side by side."""
        published = {"written": 0, **document, "tracks": document["published"]}
        return {
            "published": fields_of(Published, published),
            "days_announced": document.get("days_announced", 0),
            "unchanged_since": document.get("unchanged_since"),
        }


class CorpusReports(Part):
    """The reports of the Spark jobs of a run that has published."""

    inventory: InventoryReport
    extract: ExtractReport
    integrate: CleaningReport
    publish: PublishReport

    @classmethod
    def of_run(cls, run_id: str, database: Database[Any]) -> CorpusReports:
        """Read the reports of a run.

        Parameters
        ----------
        run_id : str
            ``<dag_id>/<run_id>``.
        database : pymongo.database.Database

        Raises
        ------
        ReportError
            If a job has left no report, or one that cannot be read.
        """
        return cls(
            inventory=summaries.require(run_id, InventoryReport, source=database),
            extract=summaries.require(run_id, ExtractReport, source=database),
            integrate=summaries.require(run_id, CleaningReport, source=database),
            publish=summaries.require(run_id, PublishReport, source=database),
        )

    def each(self) -> Iterator[Report]:
        """Yield the reports in the order of the jobs."""
        yield from (self.inventory, self.extract, self.integrate, self.publish)


class CorpusSummary(Report):
    """What a run of the DAG `corpus` came to.

    Attributes
    ----------
    partitions : int
        Days.
    files_in, tracks_out : int
    rejects : int
        Files that are no tracks.
    rejected : dict of str to int
        These by reason.
    duplicates, outliers : int
        Tracks with such a flag.
    genres : dict of str to int
        Tracks by genre.
    extracted : int
        Files that this run has extracted itself.
    tracks_per_s : float
        How fast.
    collection : str
        Database and collection that hold the tracks.
    tracks_in_collection : int
    note : str
        What a reader should know besides.
    seconds : float
        Wall time of the run, seconds.
    """

    JOB: ClassVar[str] = "summary"

    partitions: int
    files_in: int
    tracks_out: int
    rejects: int
    rejected: dict[str, int]
    duplicates: int
    outliers: int
    genres: dict[str, int]
    extracted: int
    tracks_per_s: float
    collection: str
    tracks_in_collection: int
    note: str
    seconds: float


def _counts_of_version_0(document: Mapping[str, Any]) -> dict[str, Any]:
    return fields_of(DayCounts, {**document, "files": document["inventory"]})

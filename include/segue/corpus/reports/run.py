"""The report of the job `publish`, which jobs are done before their tasks, and the reports of a run together."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

from pydantic import Field
from pymongo.database import Database

from segue.corpus.reports.files import ExtractReport, InventoryReport
from segue.corpus.reports.tracks import CleaningReport
from segue.runs import summaries
from segue.runs.summaries import Part, Report, fields_of


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

    def sentence(self) -> str:
        """Return what was written to MongoDB."""
        published = self.published
        return (
            f"{published.written:,} documents were written and {published.removed:,} removed. The collection "
            f"{published.collection} has {published.tracks_in_collection:,} tracks. {self.days_announced:,} "
            "changed days were announced."
        )

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Convert version 0, whose figures were not grouped into parts."""
        published = {"written": 0, **document, "tracks": document["published"]}
        return {
            "published": fields_of(Published, published),
            "days_announced": document.get("days_announced", 0),
            "unchanged_since": document.get("unchanged_since"),
        }


class AheadReport(Report):
    """Which jobs the Spark application of `inventory` has also done, and whose tasks have not started yet.

    Attributes
    ----------
    jobs : tuple of str
        In the order of the run.
    """

    JOB: ClassVar[str] = "ahead"

    jobs: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Return what the tasks of these jobs will do."""
        done = " and ".join(filter(None, (", ".join(self.jobs[:-1]), *self.jobs[-1:])))
        return f"Done too: {done}. Their tasks only take over the reports." if done else "No other job is done."


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
    tags_unreadable : int
        Tracks whose tags cannot be read. The column `tag_error` of the lake's table `features` says why.
    invalid_ids : dict of str to int
        Tracks with a tag that should be an id and is none, by the kind of the id.
    duplicates, outliers : int
        Tracks with such a flag.
    genres : dict of str to int
        Tracks by genre.
    extracted : int
        Files that this run has extracted itself.
    moved, retagged, hashed : int
        As in `Comparison`: known tracks that were not extracted again, and files read to recognise them.
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
    tags_unreadable: int = 0
    invalid_ids: dict[str, int] = Field(default_factory=dict)
    duplicates: int
    outliers: int
    genres: dict[str, int]
    extracted: int
    moved: int = 0
    retagged: int = 0
    hashed: int = 0
    tracks_per_s: float
    collection: str
    tracks_in_collection: int
    note: str
    seconds: float

    def sentence(self) -> str:
        """Return what the run came to."""
        note = "" if self.note == "none" else f" {self.note}"
        return (
            f"{self.tracks_out:,} of {self.files_in:,} files are published as tracks, {self.rejects:,} are "
            f"rejected. The collection {self.collection} has {self.tracks_in_collection:,} tracks.{note}"
        )

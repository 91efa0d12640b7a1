"""The reports of a run's jobs. Each job prints its report to its log, and stores it in MongoDB for later tasks.

The collection ``run_summaries`` has one document per job, with the ``_id`` ``<dag_id>/<run_id>/<job>``. A job that
runs again (a retry, a cleared task) replaces its document.

Each kind of report is a subclass of `Report`, in the package of the job that writes it. `finish` and `keep` store
a report. `find` reads a report, even if an older version of Segue wrote it. `delete_old` deletes reports of old
runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, ClassVar, Generic, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pymongo.database import Database

from segue.connections.mongo import database
from segue.errors import ReportError

COLLECTION = "run_summaries"

KEPT = 100
"""Number of reports that `delete_old` keeps of each job of a DAG. Pages and gates read at most 60 of a job."""

FOR_PROGRAMS = frozenset({"days", "quantiles", "genre_weights"})
"""Mappings that only programs read, by day or by genre. `render` leaves them out, and digests too."""

Kind = TypeVar("Kind", bound="Report")


class Part(BaseModel):
    """A part of a report: figures that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def to_document(self) -> dict[str, Any]:
        """Return the fields for MongoDB. A date becomes ``YYYY-MM-DD``. Computed properties are left out."""
        return self.model_dump(mode="json", round_trip=True)


class Report(Part):
    """What a job reports when it ends.

    A subclass sets `JOB`. If its fields change, it raises the default of `version` and extends `migrate`.

    Attributes
    ----------
    version : int
        Version of the fields. A document without it is from before November 2026, when reports had no types.
    """

    JOB: ClassVar[str]
    """Name of the job, which is part of the document's ``_id``."""

    version: int = 1

    def sentence(self) -> str:
        """Return what the job came to, and where its results are, for the last line of its log."""
        return f"The job {self.JOB} is done."

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """Convert a document of MongoDB to a report.

        Parameters
        ----------
        document : mapping of str to BSON value
            Result of `to_document`, of this version of Segue or an older one.

        Returns
        -------
        Report

        Raises
        ------
        ReportError
            If a newer version of Segue wrote the document, or if fields are missing or wrong.
        """
        current: int = cls.model_fields["version"].default
        written = document.get("version", 0)
        if written > current:
            raise ReportError(
                f"The report of a job {cls.JOB!r} was written by a newer version of Segue (its version is "
                f"{written}, this Segue reads up to {current}). Install that version, or run the DAG again."
            )
        try:
            if written < current:
                document = cls.migrate(document) | {"version": current}
            return cls.model_validate(document)
        except (KeyError, ValidationError) as error:
            wrong = f"it lacks {error}"
            if isinstance(error, ValidationError):
                first = error.errors()[0]
                wrong = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
            raise ReportError(
                f"The report of a job {cls.JOB!r} cannot be read: {wrong}. Run its DAG again."
            ) from error

    @classmethod
    def migrate(cls, document: Mapping[str, Any]) -> dict[str, Any]:
        """Convert a document of an older version to the current format. The result need not have `version`.

        Parameters
        ----------
        document : mapping of str to BSON value
            Its ``version`` states its format. The attribute `version` explains documents without one.
        """
        return dict(document)


@dataclass(frozen=True)
class Kept(Generic[Kind]):
    """A report that is stored in MongoDB.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    written_at : datetime
    report : Report
    """

    run_id: str
    written_at: datetime
    report: Kind


def fields_of(kind: type[Part], document: Mapping[str, Any]) -> dict[str, Any]:
    """Return the entries of a document that are fields of a model. `Report.migrate` uses it to fill parts."""
    return {name: value for name, value in document.items() if name in kind.model_fields}


def finish(run_id: str, report: Report) -> None:
    """Print the report of a job to its log, then store it. Every Spark job does this last.

    The last line is `Report.sentence`.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    report : Report

    Raises
    ------
    ServiceUnavailableError
        If MongoDB does not answer.
    """
    print(render(report.JOB, report), flush=True)
    keep(run_id, report)
    print(report.sentence(), flush=True)


def keep(run_id: str, report: Report, *, into: Database[Any] | None = None) -> None:
    """Store the report of one job of a run. Replace an earlier one.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    report : Report
    into : pymongo.database.Database, optional
        Database to write to. Default: that of the settings.

    Raises
    ------
    ServiceUnavailableError
        If MongoDB does not answer.
    """
    if into is None:
        with database() as into:
            keep(run_id, report, into=into)
        return
    key = f"{run_id}/{report.JOB}"
    document = {
        "_id": key,
        "run_id": run_id,
        "job": report.JOB,
        "written_at": datetime.now(UTC),
        "summary": report.to_document(),
    }
    into[COLLECTION].replace_one({"_id": key}, document, upsert=True)


def find(run_id: str, kind: type[Kind], *, source: Database[Any] | None = None) -> Kind | None:
    """Read the report of one job of a run.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    kind : type of Report
        Class of the job's report.
    source : pymongo.database.Database, optional
        Database to read from. Default: that of the settings.

    Returns
    -------
    Report or None
        None if the job has stored no report in this run.

    Raises
    ------
    ReportError
        As for `Report.of_document`.
    ServiceUnavailableError
        If MongoDB does not answer.
    """
    if source is None:
        with database() as source:
            return find(run_id, kind, source=source)
    document = source[COLLECTION].find_one({"_id": f"{run_id}/{kind.JOB}"})
    return document and kind.of_document(document["summary"])


def require(run_id: str, kind: type[Kind], *, source: Database[Any] | None = None) -> Kind:
    """Read the report of a job that must have ended in this run.

    Parameters
    ----------
    run_id, kind, source
        As for `find`.

    Raises
    ------
    ReportError
        As for `find`. Also if the job has stored no report.
    ServiceUnavailableError
        If MongoDB does not answer.
    """
    found = find(run_id, kind, source=source)
    if found is None:
        raise ReportError(
            f"The job {kind.JOB!r} left no report of the run {run_id}. Clear its task, so that it runs again."
        )
    return found


def newest(dag_id: str, kind: type[Kind], *, source: Database[Any]) -> Kept[Kind] | None:
    """Find the latest report of one job of a DAG, in any run.

    Parameters
    ----------
    dag_id : str
    kind : type of Report
        Class of the job's report.
    source : pymongo.database.Database

    Returns
    -------
    Kept or None
        None if the job has never stored a report.

    Raises
    ------
    ReportError
        As for `Report.of_document`.
    """
    runs = {"_id": {"$regex": f"^{re.escape(dag_id)}/[^/]+/{re.escape(kind.JOB)}$"}}
    found = source[COLLECTION].find_one(runs, sort=[("written_at", -1)])
    return found and Kept(found["run_id"], found["written_at"], kind.of_document(found["summary"]))


def history(kind: type[Kind], most: int, *, source: Database[Any]) -> list[Kept[Kind]]:
    """Read the newest reports of one job, in any runs.

    Parameters
    ----------
    kind : type of Report
        Class of the job's report.
    most : int
        Largest number of reports.
    source : pymongo.database.Database

    Returns
    -------
    list of Kept
        The oldest first.

    Raises
    ------
    ReportError
        As for `Report.of_document`.
    """
    found = source[COLLECTION].find({"job": kind.JOB}).sort("written_at", -1).limit(most)
    return [Kept(each["run_id"], each["written_at"], kind.of_document(each["summary"])) for each in found][::-1]


def delete_old(before: datetime, *, source: Database[Any]) -> int:
    """Delete the reports that were written before a time, but not the newest `KEPT` of each job of a DAG.

    Parameters
    ----------
    before : datetime
        With a time zone.
    source : pymongo.database.Database

    Returns
    -------
    int
        Number of deleted reports.
    """
    of_job: dict[tuple[str, str], list[tuple[datetime, str]]] = {}
    for each in source[COLLECTION].find({}, {"run_id": 1, "job": 1, "written_at": 1}):
        key = each["run_id"].partition("/")[0], each["job"]
        of_job.setdefault(key, []).append((each["written_at"].replace(tzinfo=UTC), each["_id"]))
    old = [key for reports in of_job.values() for at, key in sorted(reports)[:-KEPT] if at < before]
    for first in range(0, len(old), 1_000):
        source[COLLECTION].delete_many({"_id": {"$in": old[first : first + 1_000]}})
    return len(old)


def render(title: str, report: Part) -> str:
    """Format a report as text, with one line per figure.

    Parameters
    ----------
    title : str
        First line.
    report : Part
        Nested parts and mappings become dotted names. Fields that are None are left out.

    Returns
    -------
    str
        Lines without indentation, because the log of the Spark operator removes it.
    """
    figures = report.model_dump(mode="json", exclude_none=True, exclude={"version"})
    return "\n".join([f"== {title} ==", *(f"{name + ' ':.<27} {value}" for name, value in lines(figures))])


def lines(summary: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yield each figure of a report with its dotted name, formatted for readers."""
    for name, value in summary.items():
        if name.endswith("_digest") or (name in FOR_PROGRAMS and isinstance(value, Mapping)):
            continue
        if isinstance(value, Mapping):
            yield from lines(value, f"{prefix}{name}.")
        elif isinstance(value, float):
            yield prefix + name, f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
        elif isinstance(value, list):
            yield prefix + name, ", ".join(str(each) for each in value if each is not None) or "none"
        else:
            yield prefix + name, f"{value:,}" if isinstance(value, int) else str(value)

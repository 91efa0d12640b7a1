"""The reports of a run's jobs: printed into each job's log, and kept in MongoDB for the tasks that follow.

The collection ``run_summaries`` holds one document a job, with the ``_id`` ``<dag_id>/<run_id>/<job>``. A job that
runs again (a retry, a cleared task) replaces its document.

Each kind of report is a subclass of `Report` in the room of the job that makes it. `finish` and `keep` write a
report, `find` reads one, also if an older version of Segue wrote it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any, ClassVar, Self, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError
from pymongo.database import Database

from segue.connections.mongo import database
from segue.errors import ReportError

Summary = dict[str, Any]

COLLECTION = "run_summaries"


Kind = TypeVar("Kind", bound="Report")


class Part(BaseModel):
    """A part of a report: figures that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants")

    def to_document(self) -> dict[str, Any]:
        """Return the fields as MongoDB takes them; a date becomes ``YYYY-MM-DD``, and properties are left out."""
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

    @classmethod
    def of_document(cls, document: Mapping[str, Any]) -> Self:
        """Read a report that MongoDB holds.

        Parameters
        ----------
        document : mapping of str to BSON value
            What `to_document` returned, in this version of Segue or an older one.

        Returns
        -------
        Report

        Raises
        ------
        ReportError
            If a newer version of Segue wrote it, or fields are missing or wrong.
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
        """Bring the document of an older version into today's form; `version` need not be set.

        Parameters
        ----------
        document : mapping of str to BSON value
            Its ``version`` says how old it is; see `version` for a document without one.
        """
        return dict(document)


def fields_of(kind: type[Part], document: Mapping[str, Any]) -> dict[str, Any]:
    """Take those entries of a document that are fields of a model; `Report.migrate` picks parts with it."""
    return {name: value for name, value in document.items() if name in kind.model_fields}


def finish(run_id: str, report: Report) -> None:
    """Print the report of a job into its log, then keep it: what every Spark job does last.

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


def keep(run_id: str, report: Report, *, into: Database[Any] | None = None) -> None:
    """Keep the report of one job of a run, replacing an earlier one.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    report : Report
    into : pymongo.database.Database, optional
        Where to; default the database of the settings.

    Raises
    ------
    ServiceUnavailableError
        If MongoDB does not answer.
    """
    write(run_id, report.JOB, report.to_document(), into=into)


def find(run_id: str, kind: type[Kind], *, source: Database[Any] | None = None) -> Kind | None:
    """Read the report of one job of a run.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    kind : type of Report
        Which job's.
    source : pymongo.database.Database, optional
        Where from; default the database of the settings.

    Returns
    -------
    Report or None
        None if the job has left none in this run.

    Raises
    ------
    ReportError
        As `Report.of_document`.
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
        As of `find`.

    Raises
    ------
    ReportError
        As `find`, and if the job has left no report.
    ServiceUnavailableError
        If MongoDB does not answer.
    """
    found = find(run_id, kind, source=source)
    if found is None:
        raise ReportError(
            f"The job {kind.JOB!r} left no report of the run {run_id}. Clear its task, so that it runs again."
        )
    return found


def write(run_id: str, job: str, summary: Mapping[str, Any], *, into: Database[Any] | None = None) -> None:
    """Keep the untyped summary of a training, replacing an earlier one.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    job : str
        Name of the job.
    summary : mapping of str to BSON value
        Counts, figures, tables as lists of mappings.
    into : pymongo.database.Database, optional
        Where to; default the database of the settings.

    Raises
    ------
    ServiceUnavailableError
        If MongoDB does not answer.
    """
    if into is None:
        with database() as into:
            write(run_id, job, summary, into=into)
        return
    key = f"{run_id}/{job}"
    document = {
        "_id": key,
        "run_id": run_id,
        "job": job,
        "written_at": datetime.now(UTC),
        "summary": dict(summary),
    }
    into[COLLECTION].replace_one({"_id": key}, document, upsert=True)


def read(run_id: str, *, source: Database[Any] | None = None) -> dict[str, Summary]:
    """Read the summaries of a run, untyped.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    source : pymongo.database.Database, optional
        Where from; default the database of the settings.

    Returns
    -------
    dict of str to dict
        Summary by job, in the order written; empty for a run that has none.

    Raises
    ------
    ServiceUnavailableError
        If MongoDB does not answer.
    """
    if source is None:
        with database() as source:
            return read(run_id, source=source)
    documents = source[COLLECTION].find({"_id": {"$regex": f"^{re.escape(run_id)}/[^/]+$"}}).sort("written_at")
    return {document["job"]: document["summary"] for document in documents}


def last(dag_id: str, *, source: Database[Any]) -> Summary | None:
    """Find the newest summary of a DAG's last task.

    Parameters
    ----------
    dag_id : str
    source : pymongo.database.Database

    Returns
    -------
    dict or None
        The document: ``run_id``, ``written_at`` and ``summary``.
    """
    runs = {"_id": {"$regex": f"^{re.escape(dag_id)}/[^/]+/summary$"}}
    found: Summary | None = source[COLLECTION].find_one(runs, sort=[("written_at", -1)])
    return found


def render(title: str, summary: Mapping[str, Any] | Part) -> str:
    """Lay a report out as text, one line a figure.

    Parameters
    ----------
    title : str
        First line.
    summary : mapping or Part
        Nested mappings become dotted names.

    Returns
    -------
    str
        Lines without indentation, as the Spark operator's log strips it.

    Examples
    --------
    >>> print(render("extract", {"tracks": 240, "rejected": {"SILENT": 1}, "tracks_per_s": 5.128}))
    == extract ==
    tracks .................... 240
    rejected.SILENT ........... 1
    tracks_per_s .............. 5.13
    """
    figures = summary.model_dump(mode="json", exclude_none=True) if isinstance(summary, Part) else summary
    lines = _lines({name: value for name, value in figures.items() if name != "version"})
    return "\n".join([f"== {title} ==", *(f"{name + ' ':.<27} {value}" for name, value in lines)])


def report(run_id: str, job: str, summary: Mapping[str, Any]) -> None:
    """Print the summary of a job into its log, then keep it: what every Spark job does last.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    job : str
        Name of the job.
    summary : mapping
        As for `write`.
    """
    print(render(job, summary), flush=True)
    write(run_id, job, summary)


def _lines(summary: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, str]]:
    for name, value in summary.items():
        if isinstance(value, Mapping):
            yield from _lines(value, f"{prefix}{name}.")
        elif isinstance(value, float):
            yield prefix + name, f"{value:,.3g}" if abs(value) < 100 else f"{value:,.0f}"
        elif isinstance(value, list):
            yield prefix + name, ", ".join(map(str, value)) or "none"
        else:
            yield prefix + name, f"{value:,}" if isinstance(value, int) else str(value)

"""What each job of a run has done: readable in its log, and kept in MongoDB for the run's last task.

One document a job in the collection ``run_summaries``, ``_id`` = ``<dag_id>/<run_id>/<job>``. A job that runs
again (a retry, a cleared task) replaces its document.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database

from segue.connections.mongo import database

Summary = dict[str, Any]

COLLECTION = "run_summaries"


def write(run_id: str, job: str, summary: Mapping[str, Any], *, into: Database[Any] | None = None) -> None:
    """Keep the summary of one job of a run, replacing an earlier one.

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
    """Read the summaries of a run.

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


def render(title: str, summary: Mapping[str, Any]) -> str:
    """Lay a summary out as text, one line a figure.

    Parameters
    ----------
    title : str
        First line.
    summary : mapping
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
    return "\n".join([f"== {title} ==", *(f"{name + ' ':.<27} {value}" for name, value in _lines(summary))])


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

"""The HTML report of a DAG run. It is stored in MongoDB, and Airflow's UI shows it (plugins/segue_reports.py).

The collection ``reports`` has one document per run; its ``_id`` is ``<dag_id>/<run_id>``. A job that runs again (a
retry, a cleared task) replaces the document. Only the newest `KEPT` reports of each DAG are kept.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pymongo.database import Database

from segue.connections.mongo import database
from segue.errors import ReportError
from segue.runs import summaries
from segue.runs.html import Cell, Section, Table, render

COLLECTION = "reports"

KEPT = 100
"""Number of reports that are kept for each DAG: three months of nightly runs."""

MAX_BYTES = 16 * 1024 * 1024 - 4096
"""Largest size of a page: MongoDB's limit for a document, less the space for the other fields."""


def save(run_id: str, html: str, *, into: Database[Any] | None = None) -> None:
    """Store the report of a run in place of an earlier one, and delete the oldest reports of its DAG.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    html : str
        A page that loads no other files, such as the result of :func:`segue.runs.html.render`.
    into : pymongo.database.Database, optional
        Database to write to. Default: that of the settings.

    Raises
    ------
    ReportError
        If the page is larger than `MAX_BYTES`.
    ServiceUnavailableError
        If MongoDB does not answer.
    """
    size_bytes = len(html.encode())
    if size_bytes > MAX_BYTES:
        raise ReportError(
            f"The report of {run_id} has {size_bytes / 1e6:.1f} MB, and MongoDB takes {MAX_BYTES / 1e6:.1f} MB "
            "in a document: give it fewer or smaller figures."
        )
    if into is None:
        with database() as into:
            save(run_id, html, into=into)
        return
    document = {"_id": run_id, "written_at": datetime.now(UTC), "html": html}
    kept = into[COLLECTION]
    kept.replace_one({"_id": run_id}, document, upsert=True)
    of_dag = {"_id": {"$regex": f"^{re.escape(run_id.partition('/')[0])}/"}}
    old = kept.find(of_dag, {"_id": 1}).sort("written_at", -1).skip(KEPT)
    kept.delete_many({"_id": {"$in": [each["_id"] for each in old]}})


def of_jobs(run_id: str, *, source: Database[Any]) -> str:
    """Make a page for a run that has no report: the figures that its jobs have reported so far.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    source : pymongo.database.Database

    Returns
    -------
    str
        HTML. If no job has reported anything, it says so.
    """
    of_run = {"_id": {"$regex": f"^{re.escape(run_id)}/"}}
    sections = []
    for document in source[summaries.COLLECTION].find(of_run).sort("written_at", 1):
        figures = {name: value for name, value in document["summary"].items() if value is not None}
        rows: list[Sequence[Cell]] = [
            [_words(name), value] for name, value in summaries.lines(figures) if name != "version"
        ]
        at = f"{document['written_at']:%Y-%m-%d %H:%M:%S} UTC"
        sections.append(Section(_words(document["job"]), f"Reported at {at}.", Table(["Figure", "Value"], rows)))
    said = "No job of this run has reported anything yet. The logs of its tasks say how far it is."
    if sections:
        said = "These are the figures that the jobs of this run have reported so far."
    return render(run_id.partition("/")[0], said, sections, {"Run": run_id.partition("/")[2]})


def _words(name: str) -> str:
    """Return the name of a job or a figure in words.

    Examples
    --------
    >>> _words("found.left_out.files")
    'Found: left out: files'
    """
    words = name.replace(".", ": ").replace("_", " ")
    return words[:1].upper() + words[1:]


def links(run_id: str) -> dict[str, str]:
    """Return the address of a run in Airflow's UI, for the links of its report.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.

    Returns
    -------
    dict of str to str
        Empty if Airflow's address (``[api] base_url``) is not set. There is no link to MLflow: files and databases
        have no web address, and users may not be able to reach the address of a server.
    """
    airflow = os.environ.get("AIRFLOW__API__BASE_URL")
    dag, _, run = run_id.partition("/")
    return {"In Airflow": f"{airflow.rstrip('/')}/dags/{quote(dag)}/runs/{quote(run, safe='')}"} if airflow else {}


def audio_address() -> str | None:
    """Return the address before the id of a track, under which Airflow plays its audio file.

    Returns
    -------
    str or None
        None if Airflow's address (``[api] base_url``) is not set.
    """
    airflow = os.environ.get("AIRFLOW__API__BASE_URL")
    return f"{airflow.rstrip('/')}/segue/audio/" if airflow else None


def read(run_id: str, *, source: Database[Any] | None = None) -> str | None:
    """Read the report of a run.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    source : pymongo.database.Database, optional
        Database to read from. Default: that of the settings.

    Returns
    -------
    str or None
        The page. None if the run has no report.

    Raises
    ------
    ServiceUnavailableError
        If MongoDB does not answer.
    """
    if source is None:
        with database() as source:
            return read(run_id, source=source)
    document = source[COLLECTION].find_one({"_id": run_id})
    return document and str(document["html"])

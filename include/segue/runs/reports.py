"""The HTML report of a DAG run, kept in MongoDB, from where Airflow's UI shows it (plugins/segue_reports.py).

One document a run in the collection ``reports``, ``_id`` = ``<dag_id>/<run_id>``. A job that runs again (a retry,
a cleared task) replaces it. Of each DAG the newest `KEPT` stay.
"""

from __future__ import annotations

import os
import re
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from pymongo.database import Database

from segue.connections.mongo import database
from segue.errors import ReportError

COLLECTION = "reports"

KEPT = 100
"""How many reports of a DAG are kept: three months of nights."""

MAX_BYTES = 16 * 1024 * 1024 - 4096
"""Largest page: the size limit of a document in MongoDB, less the other fields."""


def save(run_id: str, html: str, *, into: Database[Any] | None = None) -> None:
    """Keep the report of a run, replacing an earlier one, and delete those of its DAG that are too old.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    html : str
        A page that needs nothing but itself, as :func:`segue.runs.html.render` makes it.
    into : pymongo.database.Database, optional
        Where to; default the database of the settings.

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


def links(run_id: str) -> dict[str, str]:
    """Return the address of a run in Airflow's UI, for the links of its report.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.

    Returns
    -------
    dict of str to str
        Empty if Airflow's address (``[api] base_url``) is not set. There is no link to MLflow: a store of files or
        a database has no address, and the address of a server may be reachable only for the tasks.
    """
    airflow = os.environ.get("AIRFLOW__API__BASE_URL")
    dag, _, run = run_id.partition("/")
    return {"In Airflow": f"{airflow.rstrip('/')}/dags/{quote(dag)}/runs/{quote(run, safe='')}"} if airflow else {}


def read(run_id: str, *, source: Database[Any] | None = None) -> str | None:
    """Read the report of a run.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    source : pymongo.database.Database, optional
        Where from; default the database of the settings.

    Returns
    -------
    str or None
        The page; None if the run has none.

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

"""Segue's pages in Airflow: the overview, the rejected files, and the report of each DAG run.

Airflow's own login and permissions guard them. A report needs the right to read the runs of its DAG, the rejected
files those of `corpus`, and the overview those of all of Segue's DAGs.
"""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

import segue_overview
from segue_connections import mongo_database

if TYPE_CHECKING:
    from fastapi import FastAPI

PREFIX = "/segue"
BASE_PATH = urlsplit(conf.get("api", "base_url", fallback="")).path.rstrip("/")

POLICY = "; ".join(
    [
        "default-src 'none'",  # above all no scripts, because a report shows names from the corpus
        "img-src data:",
        "style-src 'unsafe-inline'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'self'",  # the tab is a frame
    ]
)


def make_app() -> FastAPI:
    """Create the app that serves ``/segue/``, ``/segue/rejects`` and ``/segue/reports/<dag_id>/<run_id>``."""
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import requires_access_dag
    from fastapi import Depends, FastAPI
    from fastapi.responses import HTMLResponse
    from pymongo.errors import PyMongoError

    from segue.errors import ServiceUnavailableError
    from segue.runs import reports

    app = FastAPI(openapi_url=None)
    app.include_router(segue_overview.router(BASE_PATH, {"Content-Security-Policy": POLICY}))
    app.add_exception_handler(401, segue_overview.to_login(f"{BASE_PATH}{PREFIX}", BASE_PATH))
    allowed = Depends(requires_access_dag("GET", DagAccessEntity.RUN))

    @app.get("/reports/{dag_id}/{run_id}", response_model=None, dependencies=[allowed])
    def report(dag_id: str, run_id: str) -> Any:
        """Show the report of a run, or what its jobs have reported so far. Not async, as pymongo blocks."""
        code, run = 200, f"{dag_id}/{run_id}"
        try:
            with mongo_database() as database:
                html = reports.read(run, source=database) or reports.of_jobs(run, source=database)
        except (PyMongoError, ServiceUnavailableError):
            logging.getLogger(__name__).exception("A report cannot be read")
            code, html = 503, _page("MongoDB, where reports are kept, refuses: the API server's log says why.")
        return HTMLResponse(html, code, {"Content-Security-Policy": POLICY})

    return app


def _page(sentence: str) -> str:
    from segue.runs.html import render

    return render("Report", sentence, [], {})


class SegueReports(AirflowPlugin):
    """Serve the pages from Airflow's API server, and link them from its navigation, DAGs and runs."""

    name = "segue_reports"
    external_views = [  # noqa: RUF012 - as Airflow declares it
        {
            "name": "Report",
            "destination": "dag_run",
            "href": f"{BASE_PATH}{PREFIX}/reports/{{DAG_ID}}/{{RUN_ID}}",
            "url_route": "report",
        },
        {
            "name": "Segue",
            "destination": "nav",
            "nav_top_level": True,
            "href": f"{BASE_PATH}{PREFIX}/?shown=navigation",
            "url_route": "segue",
        },
        {
            "name": "Segue overview",
            "destination": "dag",
            "href": f"{BASE_PATH}{PREFIX}/?shown=tab",
            "url_route": "segue-overview",
        },
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override] # Airflow only reads it
        """The app, created when Airflow first asks for it.

        Every task loads the plugins, but only the API server asks for the app.
        """
        return [{"name": "segue", "app": make_app(), "url_prefix": PREFIX}]

"""The report of a DAG run: a tab of the run's page, for users who may read that DAG's runs."""

from __future__ import annotations

import logging
from functools import cached_property
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow.configuration import conf
from airflow.plugins_manager import AirflowPlugin

from segue_connections import mongo_database

if TYPE_CHECKING:
    from fastapi import FastAPI

PREFIX = "/segue"

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
    """Create the app that serves ``/segue/reports/<dag_id>/<run_id>``."""
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import requires_access_dag
    from fastapi import Depends, FastAPI
    from fastapi.responses import HTMLResponse
    from pymongo.errors import PyMongoError

    from segue.errors import ServiceUnavailableError
    from segue.runs import reports

    none = "This run has no report: full trainings leave one when they end, and each DAG keeps its newest."
    app = FastAPI(openapi_url=None)
    allowed = Depends(requires_access_dag("GET", DagAccessEntity.RUN))

    @app.get("/reports/{dag_id}/{run_id}", response_model=None, dependencies=[allowed])
    def report(dag_id: str, run_id: str) -> Any:
        """Show the report of a run; not async, as pymongo blocks."""
        code = 200
        try:
            with mongo_database() as database:
                html = reports.read(f"{dag_id}/{run_id}", source=database)
            if html is None:
                code, html = 404, _page(none)
        except (PyMongoError, ServiceUnavailableError):
            logging.getLogger(__name__).exception("A report cannot be read")
            code, html = 503, _page("MongoDB, where reports are kept, refuses: the API server's log says why.")
        return HTMLResponse(html, code, {"Content-Security-Policy": POLICY})

    return app


def _page(sentence: str) -> str:
    from segue.runs.html import render

    return render("Report", sentence, [], {})


class SegueReports(AirflowPlugin):
    """Serve reports from Airflow's API server, and link them from every run's page."""

    name = "segue_reports"
    external_views = [  # noqa: RUF012 - as Airflow declares it
        {
            "name": "Report",
            "destination": "dag_run",
            "href": f"{urlsplit(conf.get('api', 'base_url', fallback='')).path.rstrip('/')}"
            f"{PREFIX}/reports/{{DAG_ID}}/{{RUN_ID}}",
            "url_route": "report",
        }
    ]

    @cached_property
    def fastapi_apps(self) -> list[dict[str, Any]]:  # type: ignore[override] # Airflow only reads it
        """The app, created when Airflow first asks for it.

        Every task loads the plugins, but only the API server asks for the app.
        """
        return [{"name": "segue", "app": make_app(), "url_prefix": PREFIX}]

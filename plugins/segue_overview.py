"""The routes of the overview and of the rejected files, and what they read from Airflow's database."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, date, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlsplit

from segue_connections import mongo_database

if TYPE_CHECKING:
    from fastapi import APIRouter
    from sqlalchemy.orm import Session

    from segue.overview.dags import DagState, Schedule, Waiting

ENDED = ("success", "failed")
UNDER_WAY = ("queued", "running")


def router(base_path: str, headers: Mapping[str, str]) -> APIRouter:
    """Create the routes ``/`` (overview), ``/rejects`` (page), ``/api/rejects`` (JSON) and ``/audio``.

    Parameters
    ----------
    base_path : str
        Path before Airflow's own paths.
    headers : mapping of str to str
        Headers of every page.
    """
    from airflow.api_fastapi.auth.managers.models.resource_details import DagAccessEntity
    from airflow.api_fastapi.core_api.security import requires_access_dag
    from airflow.utils.session import create_session
    from fastapi import APIRouter, Depends, Header
    from fastapi.responses import FileResponse, HTMLResponse, JSONResponse

    from segue.connections import for_airflow
    from segue.corpus import audio_file, rejected
    from segue.corpus import report as corpus_report
    from segue.errors import SegueError
    from segue.overview import page
    from segue.overview.dags import DAGS
    from segue.overview.state import Cached
    from segue.runs.html import render
    from segue.settings import get_settings

    settings = get_settings()
    cached = Cached(settings, mongo_database)
    of_corpus = [Depends(requires_access_dag("GET", DagAccessEntity.RUN, "corpus"))]
    of_all = [Depends(requires_access_dag("GET", DagAccessEntity.RUN, dag_id)) for dag_id in DAGS]
    made = APIRouter()

    @made.get("/", response_model=None, dependencies=of_all)
    def overview(shown: str = "", host: str = Header("127.0.0.1")) -> Any:
        """Show the overview; not async, as the clients block."""
        with create_session(scoped=False) as session:
            known = schedule(session)
        api = f"http://{urlsplit(f'//{host}').hostname}:{settings.api_port}"
        place = page.Shown(shown) if shown in set(page.Shown) else page.Shown.ALONE
        addresses = page.Addresses(base_path, api, place, for_airflow.places(settings))
        return HTMLResponse(page.page(cached.get(), known, addresses), headers=dict(headers))

    @made.get("/rejects", response_model=None, dependencies=of_corpus)
    def rejects_page(reason: str | None = None, day: date | None = None) -> Any:
        """Show the rejected files; `segue rejects` lists the same."""
        try:
            files = rejected.find(settings.lake_uri, reason=reason, first=day, last=day)
        except SegueError as error:
            return HTMLResponse(corpus_report.problem(str(error)), 400, dict(headers))
        return HTMLResponse(corpus_report.listing(files, reason=reason, day=day), headers=dict(headers))

    @made.get("/api/rejects", response_model=None, dependencies=of_corpus)
    def rejects(reason: str | None = None, day: date | None = None) -> Any:
        """List the rejected files as JSON."""
        try:
            files = rejected.find(settings.lake_uri, reason=reason, first=day, last=day)
        except SegueError as error:
            return JSONResponse({"error": str(error)}, 400)
        return JSONResponse({"files": [file.document() for file in files], "total": len(files)})

    @made.get("/audio/{track_id}", response_model=None, dependencies=of_corpus)
    def audio(track_id: str) -> Any:
        """Play the audio file of a track, which the reports link."""
        try:
            with mongo_database() as database:
                return FileResponse(audio_file.find(database, settings, track_id))
        except SegueError as error:
            return HTMLResponse(render("Audio file", str(error), [], {}, tone="bad"), 404, dict(headers))

    return made


def to_login(pages: str, base_path: str) -> Callable[[Any, Any], Any]:
    """Return a handler that leads a browser without a login to Airflow's login, and then back.

    Parameters
    ----------
    pages : str
        Path of Segue's pages.
    base_path : str
        Path before Airflow's own paths.
    """
    from fastapi.responses import JSONResponse, RedirectResponse

    def handle(request: Any, error: Any) -> Any:
        if "text/html" not in request.headers.get("accept", ""):
            return JSONResponse({"detail": error.detail}, 401)
        wanted = f"{pages}{request.scope['path'].removeprefix(request.scope.get('root_path', ''))}"
        wanted += f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(f"{base_path}/api/v2/auth/login?next={quote(wanted, safe='')}")

    return handle


def schedule(session: Session) -> Schedule:
    """Read from Airflow's database whether Segue's DAGs are paused, how their last runs ended, and what waits."""
    from airflow.models.dag import DagModel
    from sqlalchemy import select

    from segue.overview.dags import DAGS, Schedule

    found = {dag.dag_id: dag for dag in session.scalars(select(DagModel).where(DagModel.dag_id.in_(DAGS)))}
    return Schedule([_dag(session, found[dag_id]) for dag_id in DAGS if dag_id in found], _waiting(session))


def _dag(session: Session, dag: Any) -> DagState:
    from airflow.models.dagrun import DagRun
    from sqlalchemy import func, select

    from segue.overview.dags import DagState

    runs = select(DagRun).where(DagRun.dag_id == dag.dag_id)
    last = session.scalar(runs.where(DagRun.state.in_(ENDED)).order_by(DagRun.end_date.desc()).limit(1))
    under_way = session.scalar(
        select(func.count()).where(DagRun.dag_id == dag.dag_id, DagRun.state.in_(UNDER_WAY))
    )
    seconds = None
    if last and last.start_date and last.end_date:
        seconds = (last.end_date - last.start_date).total_seconds()
    return DagState(
        dag_id=dag.dag_id,
        paused=dag.is_paused,
        run_id=last.run_id if last else None,
        outcome=str(last.state) if last else None,
        ended_at=last.end_date if last else None,
        seconds=seconds,
        running=under_way or 0,
        next_run=dag.next_dagrun_create_after,
    )


def _waiting(session: Session) -> Waiting | None:
    """Read the sensor's limits from the trigger for which it waits."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from sqlalchemy import select

    from segue.overview.dags import Waiting

    deferred = select(Trigger).join(TaskInstance, TaskInstance.trigger_id == Trigger.id)
    waits = (TaskInstance.dag_id == "incremental_retraining", TaskInstance.state == "deferred")
    trigger = session.scalar(deferred.where(*waits).limit(1))
    if trigger is None:
        return None
    limits = trigger.kwargs
    return Waiting(limits["min_events"], datetime.fromtimestamp(limits["deadline"], UTC))

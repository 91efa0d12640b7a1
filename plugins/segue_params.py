"""Refuse wrong params: in the trigger form and the REST API, and in the first task of any other run.

The form and the API also refuse new runs while the disk is full.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Mapping
from datetime import UTC, date, datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from airflow.plugins_manager import AirflowPlugin
from airflow.sdk.exceptions import AirflowFailException

from segue import disk
from segue.settings import get_settings
from segue_tasks import announce

if TYPE_CHECKING:
    from airflow.sdk import Context
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

TRIGGER = re.compile(r"/api/v2/(dags/(?P<dag_id>[^/]+)/dagRuns|backfills(/dry_run)?)/?$")
"""Paths of the requests that trigger a DAG or start a backfill, from the forms too."""

FULL_DISK_RETRY_S = 60
"""After so many seconds a trigger that met a full disk may be repeated."""

LEAVE_EMPTY = "In a backfill, leave it empty: each run has a day of its own."
"""For the descriptions of params that are days."""


def fault(
    given: Mapping[str, Any], schemas: Mapping[str, Mapping[str, Any]], now: datetime, *, backfill: bool = False
) -> str | None:
    """Find the first wrong value among the params of a run.

    JSON schema has checked types and formats. This checks what it cannot: unknown names, days and times to come,
    and ranges that end before they begin.

    Parameters
    ----------
    given : mapping of str to object
        Values by name, as the user gave them.
    schemas : mapping of str to mapping
        JSON schema of each param of the DAG. Params named ``x_from`` and ``x_to`` are a range.
    now : datetime
        With a time zone.
    backfill : bool
        Whether the run belongs to a backfill. Its day comes from the backfill, so no param may name one.

    Returns
    -------
    str or None
        One sentence that names the param, or None if nothing is wrong.
    """
    for name in given:
        if name not in schemas:
            similar = get_close_matches(name, schemas, 1)
            hint = f"Did you mean {similar[0]!r}?" if similar else f"This DAG has: {', '.join(schemas)}."
            return f"There is no param {name!r}. {hint}"
    times = {name: _time(value, schemas[name].get("format")) for name, value in given.items()}
    for name, time in times.items():
        if time is None:
            continue
        if backfill and schemas[name].get("format") == "date":
            return f"{name} is {given[name]}, but this run belongs to a backfill. {LEAVE_EMPTY}"
        if time > (now.astimezone(UTC).date() if type(time) is date else now):
            return (
                f"{name} is {given[name]}, which is in the future. It is {now.astimezone(UTC):%Y-%m-%d %H:%M} UTC."
            )
        last = f"{name.removesuffix('_from')}_to"
        end = times.get(last) if name.endswith("_from") else None
        if end is not None and time > end:
            return f"{name} ({given[name]}) is after {last} ({given[last]}). Swap them."
    return None


def _time(value: Any, form: str | None) -> Any:
    """Read a day or a time. Return None for anything else."""
    try:
        if form == "date":
            return date.fromisoformat(value)
        if form == "date-time":
            time = datetime.fromisoformat(value)
            return time if time.tzinfo else time.replace(tzinfo=UTC)
    except (TypeError, ValueError):  # empty, or refused by the schema
        return None
    return None


def schemas_of(params: Any) -> dict[str, Mapping[str, Any]]:
    """Return the JSON schema of each param of a DAG."""
    return {name: params.get_param(name).schema for name in params}


def refuse_wrong_params(context: Context) -> None:
    """Announce the first task of a run, and fail it at once if a param is wrong. For `pre_execute`.

    Raises
    ------
    AirflowFailException
        With the result of `fault`.
    """
    announce(context)
    run: Any = context["dag_run"]
    dag: Any = context["dag"]
    backfill = run.run_type == "backfill"
    if said := fault(run.conf or {}, schemas_of(dag.params), datetime.now(UTC), backfill=backfill):
        raise AirflowFailException(said)


class TriggerGuard:
    """ASGI middleware of the API server that refuses a trigger or backfill with wrong params before a run exists.

    While the disk is full, it refuses all triggers and backfills, with 503 and ``Retry-After``.

    The form then shows the sentence. A refused trigger is no failed run, so it does not count towards pausing a
    DAG. Requests without a valid login go on to Airflow, which refuses them itself.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Check a trigger, and pass everything else on."""
        found = TRIGGER.search(scope.get("path", "")) if scope.get("method") == "POST" else None
        if found is None or not await _signed_in(scope):
            await self.app(scope, receive, send)
            return
        from starlette.responses import JSONResponse

        if full := disk.fullness_of_stack(get_settings().state_dir):
            told = {"detail": f"{full} Free some space. Until then, no run is started."}
            await JSONResponse(told, 503, {"Retry-After": f"{FULL_DISK_RETRY_S}"})(scope, receive, send)
            return
        messages = [await receive()]
        while messages[-1].get("more_body"):
            messages.append(await receive())
        body = b"".join(message.get("body", b"") for message in messages)
        if said := await asyncio.to_thread(_fault_of, scope["app"], found["dag_id"], body):
            await JSONResponse({"detail": said}, 400)(scope, receive, send)
            return

        async def again() -> Message:
            return messages.pop(0) if messages else await receive()

        await self.app(scope, again, send)


async def _signed_in(scope: Scope) -> bool:
    from airflow.api_fastapi.auth.managers.base_auth_manager import COOKIE_NAME_JWT_TOKEN
    from airflow.api_fastapi.core_api.security import resolve_user_from_token
    from fastapi import HTTPException
    from starlette.requests import Request

    request = Request(scope)
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    try:
        await resolve_user_from_token(
            token if scheme.lower() == "bearer" else request.cookies.get(COOKIE_NAME_JWT_TOKEN)
        )
    except HTTPException:
        return False
    return True


def _fault_of(app: Any, dag_id: str | None, body: bytes) -> str | None:
    """Return what is wrong with the params in the body of a request for one of Segue's DAGs."""
    from airflow.utils.session import create_session

    backfill = dag_id is None
    try:
        sent = json.loads(body)
        given = sent.get("dag_run_conf" if backfill else "conf") or {}
        dag_id = dag_id or str(sent.get("dag_id"))
    except (ValueError, AttributeError):  # Airflow answers with what is wrong
        return None
    with create_session() as session:
        dag = app.state.dag_bag.get_latest_version_of_dag(dag_id, session=session)
    if dag is None or "segue" not in dag.tags or not isinstance(given, dict):
        return None
    return fault(given, schemas_of(dag.params), datetime.now(UTC), backfill=backfill)


class SegueParams(AirflowPlugin):
    """Put the guard in front of Airflow's API."""

    name = "segue_params"
    fastapi_root_middlewares = [  # noqa: RUF012 - as Airflow declares it
        {"name": "segue_params", "middleware": TriggerGuard}
    ]

"""Apache Airflow: API server with the UI, DAG processor, triggerer, and a scheduler that runs tasks itself."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any

import httpx

from segue.errors import StackError
from segue.settings import Settings
from segue.stack import code, memory, processes, secrets
from segue.stack.airflow_environment import environment
from segue.stack.service import Service, surroundings

API_SERVER = "api-server"
COMMANDS = {
    API_SERVER: ("api-server",),
    "dag-processor": ("dag-processor",),
    "triggerer": ("triggerer", "--skip-serve-logs"),
    "scheduler": ("scheduler", "--skip-serve-logs"),
}


@dataclass(frozen=True)
class Login:
    """Address and login of Airflow's UI and REST API."""

    url: str
    username: str
    password: str


def login(settings: Settings) -> Login:
    """Return the login of a stack, even if it does not run."""
    return Login(_url(settings), secrets.USERNAME, secrets.load(settings).password)


def viewer(settings: Settings) -> Login:
    """Return the login of a person who may only look."""
    return Login(_url(settings), secrets.VIEWER, secrets.load(settings).viewer_password)


def services(settings: Settings) -> list[Service]:
    """Return the descriptions of the four components.

    Returns
    -------
    list of Service
        Named ``api-server``, ``dag-processor``, ``triggerer`` and ``scheduler``.
    """
    variables = environment(settings)
    return [
        Service(
            name=name,
            state_dir=settings.state_dir,
            data=settings.state_dir / "airflow",
            command=(program(), *arguments),
            check=_check(settings, name),
            environment=variables,
            ports={"SEGUE_AIRFLOW_PORT": settings.airflow_port} if name == API_SERVER else {},
            loads=code.installed(),
            memory_limit_mb=memory.limit_mb(settings, name),
        )
        for name, arguments in COMMANDS.items()
    ]


def start(settings: Settings, bring_up: Callable[[Service], None]) -> None:
    """Start the components. The scheduler is last, because its tasks need the API server and the pool."""
    _migrate(settings)
    api_server, *others, scheduler = services(settings)
    with ThreadPoolExecutor() as pool:
        starting = [service for service in others if not service.runs_as_wanted()]
        started = [pool.submit(bring_up, service) for service in starting]
        bring_up(api_server)
        make_pool(settings)
        # Components that already run are checked only now, because the API server reports their health.
        for service in others:
            if service not in starting:
                bring_up(service)
        bring_up(scheduler)
        for future in started:
            future.result()


def _migrate(settings: Settings) -> None:
    """Create the metadata database, or upgrade the one of an older Airflow."""
    home = settings.state_dir / "airflow"
    database, done, is_ours = home / "airflow.db", home / "migrated", settings.airflow_database is None
    if is_ours and database.exists() and done.exists() and done.read_text() == version("apache-airflow-core"):
        return
    log = settings.state_dir / "logs" / "airflow-migration.log"
    for folder in (home, log.parent):
        folder.mkdir(parents=True, exist_ok=True)
    marked = environment(settings) | processes.marks(settings.state_dir, "airflow-migration")
    with log.open("ab") as output:
        answer = subprocess.run(
            [program(), "db", "migrate"],
            env=surroundings() | marked,
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if answer.returncode != 0:
        raise StackError(f"Airflow cannot prepare its database. The log is {log}.")
    if is_ours:
        with closing(sqlite3.connect(database)) as connection:
            connection.execute("PRAGMA journal_mode=WAL")  # stored in the file; readers do not wait for the writer
    done.write_text(version("apache-airflow-core"))


def make_pool(settings: Settings) -> None:
    """Create the pool ``spark``, or set its slots: as many Spark applications may run at a time.

    Raises
    ------
    StackError
        If Airflow refuses it.
    """
    who = login(settings)
    with httpx.Client(base_url=who.url, timeout=120, trust_env=False) as client:
        token = client.post("/auth/token", json={"username": who.username, "password": who.password})
        if not token.is_success:
            raise StackError(f"Airflow refuses its own login: {token.status_code} {token.text}")
        pool = {
            "name": "spark",
            "slots": settings.spark_applications,
            "description": "Spark applications at a time",
            "include_deferred": False,
        }
        bearer = {"Authorization": f"Bearer {token.json()['access_token']}"}
        answer = client.post("/api/v2/pools", json=pool, headers=bearer)
        if answer.status_code == httpx.codes.CONFLICT:
            slots_only = {"update_mask": "slots"}  # a description of the user's own stays
            answer = client.patch("/api/v2/pools/spark", params=slots_only, json=pool, headers=bearer)
    if not answer.is_success:
        raise StackError(f"Airflow refuses to create the pool 'spark': {answer.status_code} {answer.text}")


def _check(settings: Settings, name: str) -> Callable[[datetime], bool]:
    if name == API_SERVER:
        return lambda _: _health(settings).get("metadatabase", {}).get("status") == "healthy"
    component = name.replace("-", "_")
    return lambda started: _beats(_health(settings).get(component, {}), component, started)


def _health(settings: Settings) -> dict[str, Any]:
    try:
        answer = httpx.get(f"{_url(settings)}/api/v2/monitor/health", timeout=5, trust_env=False)
    except httpx.TransportError:
        return {}
    return answer.json() if answer.is_success else {}


def _beats(health: dict[str, Any], component: str, started: datetime) -> bool:
    """Return whether a component has sent a heartbeat since `started`. Older ones are from its predecessor."""
    beat = health.get(f"latest_{component}_heartbeat")
    return health.get("status") == "healthy" and beat is not None and datetime.fromisoformat(beat) > started


def _url(settings: Settings) -> str:
    return f"http://127.0.0.1:{settings.airflow_port}"


def program() -> str:
    """Return the path of Airflow's command line."""
    return str(Path(sys.prefix) / "bin" / "airflow")

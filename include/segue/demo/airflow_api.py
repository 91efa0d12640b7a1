"""A small client of Airflow's public REST API, for what a user would do in the UI."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_fixed

from segue.errors import StackError

FINISHED = frozenset({"success", "failed"})


@dataclass(frozen=True)
class TaskState:
    """One task of a DAG run as Airflow reports it."""

    task_id: str
    state: str
    try_number: int
    duration_s: float | None


class AirflowApi:
    """A client of Airflow's REST API. It logs in once.

    Parameters
    ----------
    url : str
        Address of the API server, such as ``http://127.0.0.1:18080``.
    username, password : str
        A login of the simple auth manager.

    Raises
    ------
    StackError
        From every method, if the server refuses or does not answer.
    """

    def __init__(self, url: str, username: str, password: str) -> None:
        # Ignore a proxy that the environment names: it is for other hosts.
        self._http = httpx.Client(base_url=url, timeout=30, trust_env=False)
        token = self._call("POST", "/auth/token", json={"username": username, "password": password})
        self._http.headers["Authorization"] = f"Bearer {token['access_token']}"

    def __enter__(self) -> AirflowApi:
        return self

    def __exit__(self, *_: object) -> None:
        self._http.close()

    @retry(
        retry=retry_if_exception_type(httpx.TransportError),
        stop=stop_after_attempt(5),
        wait=wait_fixed(2),
        reraise=True,
    )
    def _send(self, method: str, path: str, **request: Any) -> httpx.Response:
        return self._http.request(method, path, **request)

    def _call(self, method: str, path: str, **request: Any) -> Any:
        try:
            response = self._send(method, path, **request)
        except httpx.TransportError as error:
            raise StackError(
                f"Airflow's API server does not answer at {self._http.base_url} ({error}). "
                "Look at `segue status` and `segue logs api-server`."
            ) from error
        if response.is_error:
            raise StackError(f"Airflow refused {method} {path} with {response.status_code}: {response.text}")
        return response.json()

    def dag_ids(self) -> set[str]:
        """Return the ids of the DAGs that Airflow has parsed."""
        return {dag["dag_id"] for dag in self._call("GET", "/api/v2/dags", params={"limit": 100})["dags"]}

    def import_errors(self) -> list[str]:
        """Return a text for each DAG file that cannot be imported."""
        errors = self._call("GET", "/api/v2/importErrors")["import_errors"]
        return [f"{error['filename']}: {error['stack_trace']}" for error in errors]

    def paused(self) -> list[str]:
        """Return the ids of the DAGs that are paused, in order."""
        found = self._call("GET", "/api/v2/dags", params={"limit": 100, "paused": True})["dags"]
        return sorted(dag["dag_id"] for dag in found)

    def set_paused(self, dag_id: str, *, paused: bool) -> None:
        """Pause or unpause a DAG."""
        self._call("PATCH", f"/api/v2/dags/{dag_id}", json={"is_paused": paused})

    def trigger(self, dag_id: str, conf: dict[str, Any], partition_key: str | None = None) -> str:
        """Start a run of ``dag_id`` with the params ``conf``, optionally of one partition; return its id."""
        body = {"logical_date": None, "conf": conf, "partition_key": partition_key}
        return str(self._call("POST", f"/api/v2/dags/{dag_id}/dagRuns", json=body)["dag_run_id"])

    def runs(self, dag_id: str, state: str | None = None) -> list[str]:
        """Return the run ids of ``dag_id`` in one state or in all, newest first."""
        params: dict[str, str | int] = {"order_by": "-run_after", "limit": 10}
        if state is not None:
            params["state"] = state
        found = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns", params=params)["dag_runs"]
        return [run["dag_run_id"] for run in found]

    def run_state(self, dag_id: str, run_id: str) -> str:
        """Return the state of a run: queued, running, success or failed."""
        return str(self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}")["state"])

    def tasks(self, dag_id: str, run_id: str) -> list[TaskState]:
        """Return the state of each task of a run, in Airflow's order."""
        found = self._call("GET", f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances")
        return [_task_state(task) for task in found["task_instances"]]

    def running(self) -> list[tuple[str, str, TaskState]]:
        """Return DAG id, run id and state of every running task of all DAGs."""
        found = self._call("GET", "/api/v2/dags/~/dagRuns/~/taskInstances", params={"state": "running"})
        return [(task["dag_id"], task["dag_run_id"], _task_state(task)) for task in found["task_instances"]]

    def log_lines(self, dag_id: str, run_id: str, task: TaskState) -> list[str]:
        """Return the log lines of a task's newest try, without time stamps."""
        path = f"/api/v2/dags/{dag_id}/dagRuns/{run_id}/taskInstances/{task.task_id}/logs/{task.try_number}"
        content = self._call("GET", path, params={"full_content": True})["content"]
        return [line for entry in content for line in _lines(entry)]


def _lines(entry: Any) -> list[str]:
    """Return the text of one entry of a log. The exception of a Python task is beside its text."""
    if not isinstance(entry, dict):
        return [str(entry)]
    raised = entry.get("error_detail") or []
    return [entry["event"], *(f"{each['exc_type']}: {each['exc_value']}" for each in raised)]


def _task_state(task: dict[str, Any]) -> TaskState:
    return TaskState(task["task_id"], task["state"] or "waiting", task["try_number"], task["duration"])

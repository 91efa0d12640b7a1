"""Airflow's REST API on nodes, asked from a node, because no other process reaches them."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import Any

from tests.cluster.services import Services

URL = "http://airflow-apiserver:8080"
NODE = "airflow-scheduler"


def json_of(services: Services, name: str, url: str, *options: str) -> Any:
    """Ask a URL from the node of a service; return the JSON."""
    return json.loads(services.inside(name, "curl", "--silent", "--show-error", *options, url))


@dataclass
class Airflow:
    """A login at the Airflow of some services."""

    services: Services
    token: str = ""

    def __post_init__(self) -> None:
        given = self.services.described["airflow-init"]["environment"]
        login = {"username": given["AIRFLOW_USERNAME"], "password": given["AIRFLOW_PASSWORD"]}
        self.token = self.call("/auth/token", "POST", login)["access_token"]

    def call(self, path: str, method: str = "GET", body: Any = None) -> Any:
        """Ask for a path of the API."""
        options = ["--request", method, "--header", "Content-Type: application/json"]
        options += ["--header", f"Authorization: Bearer {self.token}"] if self.token else []
        options += ["--data", json.dumps(body)] if body is not None else []
        return json_of(self.services, NODE, URL + path, *options)

    def trigger(self, dag: str, limit_s: float, **conf: Any) -> str:
        """Start a run of a DAG when it is parsed; return the path of the run."""
        until = time.monotonic() + limit_s
        while "dag_id" not in self.call(f"/api/v2/dags/{dag}"):
            assert time.monotonic() < until, self.services.output("airflow-dag-processor")[-3000:]
            time.sleep(5)
        run = self.call(f"/api/v2/dags/{dag}/dagRuns", "POST", {"logical_date": None, "conf": conf})
        self.call(f"/api/v2/dags/{dag}", "PATCH", {"is_paused": False})
        return f"/api/v2/dags/{dag}/dagRuns/{run['dag_run_id']}"

    def states(self, run: str) -> dict[str, str]:
        """Return the state of each task of a run."""
        tasks = self.call(f"{run}/taskInstances")["task_instances"]
        return {each["task_id"]: each["state"] for each in tasks}

    def log(self, run: str, task: str) -> str:
        """Return the log of the newest try of a task."""
        number = self.call(f"{run}/taskInstances/{task}")["try_number"]
        lines = self.call(f"{run}/taskInstances/{task}/logs/{number}?full_content=true")["content"]
        return "\n".join(line["event"] for line in lines)

    def wait_for_line(self, run: str, task: str, text: str, limit_s: float) -> None:
        """Wait until the log of a task has a text."""
        until = time.monotonic() + limit_s
        while text not in (said := self.log(run, task) if self.states(run)[task] == "running" else ""):
            states = self.states(run)
            assert time.monotonic() < until, f"{states}\n{said[-3000:]}"
            assert states[task] not in {"success", "failed"}, f"{task} has ended: {self.log(run, task)[-3000:]}"
            time.sleep(0.5)

    def finish(self, run: str, limit_s: float) -> None:
        """Wait until a run has ended well."""
        until = time.monotonic() + limit_s
        while (state := self.call(run)["state"]) not in {"success", "failed"}:
            assert time.monotonic() < until, f"the run is {state}: {self.states(run)}"
            time.sleep(5)
        failed = [task for task, state in self.states(run).items() if state == "failed"]
        assert state == "success", "\n".join(f"{task}: {self.log(run, task)[-3000:]}" for task in failed)

"""What a real Prometheus gets from the whole stack. CI has neither program: see docs/monitoring.md."""

from __future__ import annotations

import json
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from pymongo.database import Database
from tests.support.retraining_reports import COMPARED, KEPT

from segue.api.accounts import Accounts
from segue.demo.airflow_api import FINISHED, AirflowApi
from segue.demo.watch import wait_for_dags
from segue.runs import summaries
from segue.runs.conclusion import RunSummary
from segue.settings import PROJECT_DIR, Settings
from segue.stack import airflow, ports

FOLDER = PROJECT_DIR / "deploy" / "monitoring"
EXPORTER = shutil.which("statsd_exporter") or str(Path.home() / "go" / "bin" / "statsd_exporter")
WITHIN_S = 240

pytestmark = [
    pytest.mark.integration,
    pytest.mark.skipif(
        not (shutil.which("prometheus") and Path(EXPORTER).exists()),
        reason="needs prometheus (Debian) and statsd_exporter (go install github.com/prometheus/statsd_exporter)",
    ),
]


@contextmanager
def running(command: list[str], log: Path) -> Iterator[None]:
    """Run a program; end it at the end."""
    with log.open("wb") as output, subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT) as process:
        try:
            yield
        finally:
            process.terminate()


@pytest.fixture
def query(settings: Settings, stack: airflow.Login, tmp_path: Path) -> Iterator[Callable[[str], list[Any]]]:
    """Start statsd_exporter and Prometheus with the files of deploy/monitoring, but other ports."""
    del stack
    exported, asked = ports.find_free(2)
    config = yaml.safe_load((FOLDER / "prometheus.yml").read_text())
    config |= {"rule_files": [str(FOLDER / "rules.yml")]}
    config["global"] = {"scrape_interval": "2s", "scrape_timeout": "2s"}
    for job, port in zip(config["scrape_configs"], (settings.api_port, exported), strict=True):
        job["static_configs"] = [{"targets": [f"127.0.0.1:{port}"]}]
    (tmp_path / "prometheus.yml").write_text(yaml.safe_dump(config))
    exporter = [
        EXPORTER,
        f"--statsd.listen-udp={settings.statsd_address}",
        "--statsd.listen-tcp=",
        f"--web.listen-address=127.0.0.1:{exported}",
        f"--statsd.mapping-config={FOLDER / 'statsd-mapping.yml'}",
    ]
    prometheus = [
        "prometheus",
        f"--config.file={tmp_path / 'prometheus.yml'}",
        f"--storage.tsdb.path={tmp_path / 'data'}",
        f"--web.listen-address=127.0.0.1:{asked}",
    ]

    def answer(expression: str) -> list[Any]:
        url = f"http://127.0.0.1:{asked}/api/v1/query"
        found = httpx.get(url, params={"query": expression}, timeout=30, trust_env=False).json()
        assert found["status"] == "success", found
        return [each for each in found["data"]["result"] if each["value"][1] != "NaN"]

    with running(exporter, tmp_path / "exporter.log"), running(prometheus, tmp_path / "prometheus.log"):
        yield answer


def test_every_query_of_the_dashboard_returns_data(
    settings: Settings, stack: airflow.Login, mongo: Database[dict[str, Any]], query: Callable[[str], list[Any]]
) -> None:
    run_a_dag(stack)
    send_a_listen(settings, mongo)
    retrain(mongo)
    panels = json.loads((FOLDER / "dashboard.json").read_text())["panels"]
    waiting = {target["expr"] for panel in panels for target in panel.get("targets", ())}
    assert len(waiting) > 20
    give_up = time.monotonic() + WITHIN_S
    while waiting := {expression for expression in waiting if not answers(query, expression)}:
        assert time.monotonic() < give_up, waiting
        time.sleep(2)


def answers(query: Callable[[str], list[Any]], expression: str) -> bool:
    try:
        return bool(query(expression))
    except httpx.TransportError:  # it starts
        return False


def run_a_dag(stack: airflow.Login) -> None:
    with AirflowApi(stack.url, stack.username, stack.password) as api:
        wait_for_dags(api, {"watch"})
        api.set_paused("watch", paused=False)
        try:
            run_id, give_up = api.trigger("watch", {}), time.monotonic() + WITHIN_S
            while (state := api.run_state("watch", run_id)) not in FINISHED:
                assert time.monotonic() < give_up, state
                time.sleep(1)
        finally:
            api.set_paused("watch", paused=True)


def send_a_listen(settings: Settings, database: Database[dict[str, Any]]) -> None:
    body = {
        "listen_type": "import",
        "payload": [
            {"listened_at": int(time.time()), "track_metadata": {"artist_name": "Björk", "track_name": "Jóga"}}
        ],
    }
    headers = {"Authorization": f"Token {Accounts(database).add('monitored')}"}
    url = f"http://127.0.0.1:{settings.api_port}/1/submit-listens"
    httpx.post(url, json=body, headers=headers, timeout=60, trust_env=False).raise_for_status()


def retrain(database: Database[dict[str, Any]]) -> None:
    """Store the reports of a retraining."""
    report = KEPT.model_copy(update={"updated": COMPARED})
    summaries.keep("incremental_retraining/monitored", report, into=database)
    summary = RunSummary(results="there", seconds=9.5)
    summaries.keep("incremental_retraining/monitored", summary, into=database)

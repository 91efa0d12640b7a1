from __future__ import annotations

import json
import subprocess
import sys
import time
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

import pytest
from typer.testing import CliRunner

from segue import disk
from segue.cli import app
from segue.settings import get_settings
from segue.stack.suspensions import Suspension


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("SEGUE_HOME", str(tmp_path))
    monkeypatch.delenv("SEGUE_CORPUS", raising=False)
    get_settings.cache_clear()
    yield tmp_path
    get_settings.cache_clear()


@pytest.mark.parametrize("command", ["demo", "up", "down", "status", "logs", "clean"])
def test_the_help_lists_the_commands_and_each_explains_itself(command):
    assert command in CliRunner().invoke(app, ["--help"]).output
    assert CliRunner().invoke(app, [command, "--help"]).exit_code == 0


def test_version():
    assert CliRunner().invoke(app, ["--version"]).output.strip() == version("segue")


def test_nothing_running_is_told_as_that(home):
    told = CliRunner().invoke(app, ["status"])
    assert told.exit_code == 0
    assert "Nothing is running" in told.output
    assert "no logs yet" in CliRunner().invoke(app, ["logs"]).output
    assert not list(home.iterdir()), "to look leaves nothing behind"
    assert "Nothing is running" in CliRunner().invoke(app, ["down"]).output


def test_the_services_of_a_stopped_stack_are_shown(home):
    (home / "sample").mkdir()
    assert "stopped" in CliRunner().invoke(app, ["status"]).output


def test_a_full_disk_is_told(home, monkeypatch):
    (home / "sample").mkdir()
    monkeypatch.setattr(disk, "fullness", lambda folder: f"Disk full: {folder} has 0 MB left.")
    told = CliRunner().invoke(app, ["status"]).output
    assert f"Disk full: {home / 'sample'} has 0 MB left." in told


def test_a_service_that_was_suspended_today_is_told(home):
    (home / "sample").mkdir()
    now = time.time()
    recorded = [Suspension("kafka", now - 200_000, now - 190_000), Suspension("scheduler", now - 720, now - 60)]
    (home / "sample" / "suspensions.json").write_text(json.dumps([asdict(each) for each in recorded]))
    told = CliRunner().invoke(app, ["status"]).output
    assert "scheduler was suspended for 11.0 minutes, from " in told
    assert "kafka was" not in told


def test_a_damaged_record_of_suspensions_is_left_aside(home):
    (home / "sample").mkdir()
    (home / "sample" / "suspensions.json").write_text("[{")
    assert CliRunner().invoke(app, ["status"]).exit_code == 0


def test_logs_of_a_service_that_does_not_exist_names_those_that_do(home):
    (home / "sample").mkdir()
    told = CliRunner().invoke(app, ["logs", "zookeeper"])
    assert told.exit_code == 2
    assert "scheduler" in told.output


def test_clean_asks_first(home):
    (home / "sample").mkdir()
    assert CliRunner().invoke(app, ["clean"], input="n\n").exit_code == 1
    assert (home / "sample").exists()
    assert CliRunner().invoke(app, ["clean", "--yes"]).exit_code == 0
    assert not (home / "sample").exists()


class Api:
    """Airflow's REST API with two DAGs that are paused."""

    on = False

    def __init__(self, *_):
        self.states = {"corpus": not self.on, "listens": not self.on, "recommender": False}

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def dag_ids(self):
        return set(self.states)

    def paused(self):
        return [name for name, paused in self.states.items() if paused]

    def set_paused(self, name, *, paused):
        self.states[name] = paused


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        ([], 0, "Started: corpus, listens."),
        (["listens"], 0, "Started: listens."),
        (["recommender"], 1, "None of these DAGs is paused."),
        (["recomender"], 1, "There is no DAG recomender."),
    ],
)
def test_unpause_starts_what_is_paused_and_fails_if_that_is_nothing(home, monkeypatch, arguments, code, said):
    (home / "sample").mkdir()
    monkeypatch.setattr("segue.demo.airflow_api.AirflowApi", Api)
    told = CliRunner().invoke(app, ["unpause", *arguments])
    assert (told.exit_code, said in told.output) == (code, True)


@pytest.mark.parametrize(
    ("on", "said"), [(False, "Paused DAGs: corpus, listens. They run only"), (True, "All DAGs are on.")]
)
def test_up_says_which_dags_are_paused(home, monkeypatch, on, said):
    (home / "sample").mkdir()
    monkeypatch.setattr(Api, "on", on)
    monkeypatch.setattr("segue.demo.airflow_api.AirflowApi", Api)
    monkeypatch.setattr("segue.overview.dags.DAGS", ("corpus",))
    monkeypatch.setattr("segue.stack.lifecycle.up", lambda *_, **__: None)
    assert said in CliRunner().invoke(app, ["up"]).output


@pytest.mark.parametrize(
    ("port", "message"),
    [
        ("ninety", "Error: SEGUE_KAFKA_PORT='ninety'"),
        ("18080", "Error: SEGUE_AIRFLOW_PORT and SEGUE_KAFKA_PORT are both 18080: give each a port of its own."),
    ],
)
def test_an_expected_error_is_one_message_without_a_traceback(home, port, message):
    segue = Path(sys.prefix) / "bin" / "segue"
    told = subprocess.run(
        [segue, "status"],
        env={"SEGUE_HOME": str(home), "SEGUE_KAFKA_PORT": port},
        capture_output=True,
        text=True,
    )
    assert told.returncode == 1
    assert told.stderr.startswith(message)
    assert told.stderr.count("\n") == 1
    assert told.stdout == ""

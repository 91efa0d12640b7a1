from __future__ import annotations

from functools import partial
from types import SimpleNamespace

import pytest
from rich.console import Console

from segue.demo import watch
from segue.demo.airflow_api import TaskState, _lines
from segue.errors import StackError
from segue.patience import Pace, Patience

HOUR = 3_600


class Airflow:
    """A run as the REST API shows it, on a clock that sleeping moves on."""

    def __init__(self, seconds, *, state="running", line=lambda _: "", others=lambda _: "", ends="success"):
        self.now, self.seconds, self.ends = 0.0, seconds, ends
        self.state, self.line, self.others = state, line, others

    def sleep(self, seconds):
        self.now += seconds

    def dag_ids(self):
        return {"corpus"} if self.now >= self.seconds else set()

    def import_errors(self):
        return []

    def runs(self, *_):
        return ["run"]

    def run_state(self, *_):
        return self.ends if self.now >= self.seconds else "running"

    def tasks(self, *_):
        return [TaskState("extract", self.ends if self.now >= self.seconds else self.state, 1, None)]

    def running(self):
        return [("recommender", "other", TaskState("train", "running", 1, None))]

    def log_lines(self, dag_id, *_):
        return [self.line(self.now) if dag_id == "corpus" else self.others(self.now)]


@pytest.fixture
def put_on(monkeypatch):
    """Return a function that puts the waits on the clock of an `Airflow`."""

    def put(airflow):
        monkeypatch.setattr(
            watch, "time", SimpleNamespace(sleep=airflow.sleep)
        )  # not `time.sleep` of other threads
        monkeypatch.setattr(watch, "POLL_S", 20)
        monkeypatch.setattr(watch, "Patience", partial(Patience, clock=lambda: airflow.now))
        return airflow

    return put


def every_minutes(minutes):
    return lambda now: f"progress: {now // (60 * minutes)}"


def follow(airflow):
    watch.follow(airflow, "corpus", "run", Console(quiet=True))


def test_a_run_is_followed_for_hours_while_its_log_grows(put_on):
    airflow = put_on(Airflow(9 * HOUR, line=every_minutes(14)))
    follow(airflow)
    assert airflow.now >= 9 * HOUR


def test_where_no_terminal_is_a_running_task_says_how_far_it_is_every_ten_seconds(put_on, monkeypatch, capsys):
    airflow = put_on(Airflow(60, line=lambda now: f"progress: {now:.0f} of 60"))
    monkeypatch.setattr(watch, "POLL_S", 5)
    monkeypatch.setattr(watch, "Pace", partial(Pace, clock=lambda: airflow.now))
    watch.follow(airflow, "corpus", "run", Console())
    said = [line for line in capsys.readouterr().out.splitlines() if "progress" in line]
    assert said == [f"corpus.extract: progress: {seconds} of 60" for seconds in range(10, 60, 10)]


def test_a_run_that_stands_still_is_given_up_with_the_time_that_was_waited(put_on):
    airflow = put_on(Airflow(9 * HOUR, line=lambda now: f"progress: {min(now, HOUR)}"))
    with pytest.raises(StackError, match=r"Nothing has moved in corpus for 15 minutes.*The run continues"):
        follow(airflow)
    assert HOUR + watch.STILL_S < airflow.now < HOUR + watch.STILL_S + 60


def test_a_run_that_waits_for_its_turn_moves_with_the_one_before_it(put_on):
    follow(put_on(Airflow(9 * HOUR, state="queued", others=every_minutes(14))))
    with pytest.raises(StackError, match="Nothing has moved"):
        follow(put_on(Airflow(9 * HOUR, state="queued", others=lambda _: "the same line")))


def test_the_wait_for_a_sensor_lasts_while_anything_moves(put_on):
    assert (
        watch.wait_until_deferred(put_on(Airflow(2 * HOUR, others=every_minutes(5), ends="deferred")), "x")
        == "run"
    )
    with pytest.raises(StackError, match="nothing has moved for 15 minutes"):
        watch.wait_until_deferred(put_on(Airflow(2 * HOUR, ends="deferred")), "corpus")


def test_a_dag_that_is_never_parsed_is_named(put_on):
    watch.wait_for_dags(put_on(Airflow(600)), {"corpus"})
    with pytest.raises(StackError, match="no new DAG for 15 minutes; missing: corpus"):
        watch.wait_for_dags(put_on(Airflow(HOUR)), {"corpus"})


def test_the_log_of_a_python_task_has_its_exception():
    raised = [{"exc_type": "KeyError", "exc_value": "'genre'", "frames": []}]
    assert _lines({"event": "Task failed with exception", "error_detail": raised}) == [
        "Task failed with exception",
        "KeyError: 'genre'",
    ]
    assert _lines({"event": "progress"}) == ["progress"]
    assert _lines("old") == ["old"]

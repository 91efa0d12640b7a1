from __future__ import annotations

import os
import subprocess
import sys
from contextlib import nullcontext
from itertools import pairwise
from types import SimpleNamespace

import pytest

from segue.errors import QualityGateError
from segue.settings import PROJECT_DIR


@pytest.fixture
def corpus(dags):
    return dags["corpus"]


def test_the_tasks_run_one_after_the_other(corpus):
    order = [
        "skip_unless_changed",
        "inventory",
        "extract",
        "skip_if_ping",
        "integrate",
        "quality_gate",
        "publish",
        "summary",
    ]
    for task, following in pairwise(order):
        assert corpus.get_task(task).downstream_task_ids == {following}


def test_it_is_documented_and_tagged(corpus):
    assert {"segue", "corpus"} <= set(corpus.tags)
    for word in ("What", "When", "Inputs", "Outputs", "When it fails"):
        assert f"**{word}.**" in corpus.doc_md


def test_each_run_has_the_day_before_as_its_partition(corpus):
    assert type(corpus.timetable).__name__ == "DayByDay"
    assert corpus.start_date is None, "else unpausing would start a run"
    assert corpus.max_active_runs == 1
    assert not corpus.catchup


def test_every_param_has_a_help_text(corpus):
    for name in ("partition_from", "partition_to", "mode"):
        assert len(corpus.params.get_param(name).description) > 20


@pytest.mark.parametrize("job", ["inventory", "extract", "integrate", "publish"])
def test_spark_jobs_take_the_one_slot_and_are_tried_again(corpus, job):
    task = corpus.get_task(job)
    assert task.pool == "spark"
    assert task.retries >= 1
    assert task.application == str(PROJECT_DIR / "spark_jobs" / f"{job}.py")
    assert task.application_args[:2] == ["--run-id", "{{ dag.dag_id }}/{{ run_id }}"]


@pytest.mark.parametrize("task", ["skip_unless_changed", "quality_gate", "summary"])
def test_tasks_that_need_mongodb_are_tried_again(corpus, task):
    assert corpus.get_task(task).retries >= 1


def test_a_gate_that_refuses_is_not_tried_again(corpus, monkeypatch):
    from airflow.sdk.exceptions import AirflowFailException

    from segue.corpus import steps

    def refuse(_database, run, _settings):
        raise QualityGateError(f"1 of 1 checks of {run} failed")

    monkeypatch.setattr(steps, "check_quality", refuse)
    body = corpus.get_task("quality_gate").python_callable
    monkeypatch.setitem(body.__globals__, "mongo_database", nullcontext)
    with pytest.raises(AirflowFailException, match="1 of 1 checks of corpus/r failed"):
        body("corpus/r")


def test_the_outcome_of_a_run_is_told_and_a_ping_says_why_it_ends(corpus, monkeypatch, capsys):
    from segue.corpus import steps

    monkeypatch.setattr(steps, "conclude", lambda _database, run, days, *_: f"{run}: {days} are published.")
    body, pushed = corpus.get_task("summary").python_callable, {}
    monkeypatch.setitem(body.__globals__, "mongo_database", nullcontext)
    body("corpus/r", "all days", "2026-03-01T00:00:00+00:00", SimpleNamespace(xcom_push=pushed.__setitem__))
    assert pushed == {"outcome": "corpus/r: all days are published."}
    assert corpus.get_task("skip_if_ping").python_callable("ping") is False
    assert corpus.get_task("skip_if_ping").python_callable("skip") is True
    assert capsys.readouterr().out == "Mode ping: nothing more is done.\nMode skip: the run goes on.\n"


def render(corpus, task, **context):
    """Render a task's arguments with Airflow's own templating."""
    environment = corpus.get_template_env()
    templates = corpus.get_task(task).application_args
    return [environment.from_string(template).render(context) for template in templates]


class Dag:
    dag_id = "corpus"


IN_RUN = {
    "dag": Dag,
    "run_id": "r",
    "dag_run": SimpleNamespace(run_type="manual"),
    "partition_key": None,
    "params": {"partition_from": None, "partition_to": None, "mode": "skip"},
    "ti": SimpleNamespace(try_number=1),
}


@pytest.mark.parametrize(
    ("params", "key", "expected"),
    [
        ({}, None, ["--mode", "skip"]),
        ({}, "2026-03-01", ["--from", "2026-03-01", "--to", "2026-03-01", "--mode", "skip"]),
        ({"partition_from": "2026-01-01"}, None, ["--from", "2026-01-01", "--mode", "skip"]),
        (
            {"partition_from": "2026-01-01", "partition_to": "2026-01-31"},
            "2026-03-01",
            ["--from", "2026-01-01", "--to", "2026-01-31", "--mode", "skip"],
        ),
    ],
)
def test_a_run_works_on_its_params_else_its_partition_else_all_days(corpus, params, key, expected):
    from segue_spark import without_empty_options

    params = {"partition_from": None, "partition_to": None, "mode": "skip"} | params
    rendered = render(corpus, "extract", dag=Dag, run_id="r", params=params, partition_key=key)
    assert without_empty_options(rendered) == ["--run-id", "corpus/r", *expected]


@pytest.mark.parametrize(
    ("run_type", "expected"), [("scheduled", ["--night-of", "2026-03-01"]), ("backfill", []), ("manual", [])]
)
def test_only_the_nightly_run_looks_for_late_files(corpus, run_type, expected):
    from segue_spark import without_empty_options

    run = SimpleNamespace(run_type=run_type)
    rendered = render(corpus, "inventory", **IN_RUN | {"dag_run": run, "partition_key": "2026-03-01"})
    days = ["--from", "2026-03-01", "--to", "2026-03-01"]
    assert without_empty_options(rendered) == ["--run-id", "corpus/r", *days, *expected, "--go-on", "1000"]


@pytest.mark.parametrize(
    ("mode", "try_number", "goes_on"),
    [("skip", 1, True), ("skip", 2, False), ("force", 1, False), ("ping", 1, False)],
)
def test_only_the_first_try_of_a_usual_run_goes_on_with_the_jobs_after_the_inventory(
    corpus, mode, try_number, goes_on
):
    from segue_spark import without_empty_options

    params, ti = IN_RUN["params"] | {"mode": mode}, SimpleNamespace(try_number=try_number)
    rendered = without_empty_options(render(corpus, "inventory", **IN_RUN | {"params": params, "ti": ti}))
    assert rendered[2:] == (["--go-on", "1000"] if goes_on else [])


def test_importing_the_dag_loads_nothing_heavy():
    code = "import corpus, sys; print({'pyspark', 'pandas', 'librosa', 'pymongo'} & sys.modules.keys())"
    paths = os.pathsep.join(str(PROJECT_DIR / folder) for folder in ("dags", "plugins"))
    environment = os.environ | {"PYTHONPATH": paths}
    loaded = subprocess.check_output([sys.executable, "-c", code], env=environment, text=True)
    assert loaded.splitlines()[-1] == "set()"

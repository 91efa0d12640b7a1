from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from segue.corpus import publications
from segue.corpus.reports import CorpusSummary, PublishReport
from segue.runs import summaries
from segue.settings import PROJECT_DIR, get_settings

pytestmark = pytest.mark.integration


@pytest.fixture
def dag(pipeline, tmp_path, monkeypatch):
    """Import the DAG `corpus`; its tasks work on the pipeline's folder, lake and database."""
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path / "airflow"))
    monkeypatch.syspath_prepend(str(PROJECT_DIR / "plugins"))
    from airflow.dag_processing.dagbag import DagBag

    bag = DagBag(PROJECT_DIR / "dags" / "corpus.py")
    assert bag.import_errors == {}
    monkeypatch.setenv("SEGUE_MUSIC", str(pipeline.music))
    monkeypatch.setenv("SEGUE_LAKE", pipeline.lake.uri)
    get_settings.cache_clear()
    pipeline.database.drop_collection(publications.COLLECTION)
    yield bag.dags["corpus"]
    get_settings.cache_clear()
    pipeline.database.drop_collection(publications.COLLECTION)


@pytest.fixture
def call(dag, pipeline, monkeypatch):
    """Return a function that calls the body of a task in a run."""

    def run(task, run_id, **arguments):
        body = dag.get_task(task).python_callable
        monkeypatch.setitem(body.__globals__, "mongo_database", lambda: pipeline.database)
        run = SimpleNamespace(dag_id="corpus", run_id=run_id, start_date=datetime.now(UTC))
        return body(days="all", dag_run=run, **arguments)

    return run


def run_all(pipeline, run_id):
    for report in pipeline.run_all().each():
        summaries.keep(f"corpus/{run_id}", report, into=pipeline.database)


def test_days_stand_published_until_a_file_or_a_table_changes(pipeline, call, capsys):
    assert call("unless_unchanged", "first", mode="skip")
    assert "all: not published yet from music, metadata" in capsys.readouterr().out
    run_all(pipeline, "first")
    call("summary", "first")
    assert call("unless_unchanged", "forced", mode="force")
    assert call("unless_unchanged", "ping", mode="ping")
    assert "Mode ping: the run goes on" in capsys.readouterr().out

    assert not call("unless_unchanged", "second", mode="skip")
    assert "Nothing has changed since corpus/first" in capsys.readouterr().out
    call("summary", "second")
    total = summaries.require("corpus/second", CorpusSummary, source=pipeline.database)
    assert (total.files_in, total.tracks_out, total.extracted) == (11, 8, 0)
    report = summaries.require("corpus/second", PublishReport, source=pipeline.database)
    assert report.unchanged_since == "corpus/first"

    (pipeline.music / "same tags 1.mp3").touch()
    assert call("unless_unchanged", "touched", mode="skip")
    run_all(pipeline, "touched")
    call("summary", "touched")
    assert not call("unless_unchanged", "fourth", mode="skip")
    with (pipeline.music / "metadata.csv").open("a") as table:
        table.write("t11,same tags 2.mp3,Other\n")
    assert call("unless_unchanged", "renamed", mode="skip")


def test_what_the_inventory_would_refuse_is_left_to_it(pipeline, call, capsys):
    (pipeline.music / "metadata.csv").write_text("file")
    assert call("unless_unchanged", "first", mode="skip")
    assert "lacks the column" in capsys.readouterr().out

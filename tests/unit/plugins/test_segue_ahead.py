from __future__ import annotations

from contextlib import nullcontext

import pytest
from tests.support.corpus_reports import run as corpus_run

from segue.corpus import done_ahead


@pytest.fixture
def submitted(monkeypatch):
    """Execute the task `publish` of a run; return the operators that have submitted a job."""
    import segue_ahead

    jobs = []
    monkeypatch.setattr(segue_ahead, "mongo_database", nullcontext)
    monkeypatch.setattr(segue_ahead.SparkJobOperator, "execute", lambda task, _: jobs.append(task.job))

    def execute():
        segue_ahead.MayBeDoneOperator(task_id="publish", job="publish").execute({"run_id": "r"})
        return jobs

    return execute


def test_a_job_that_was_done_is_not_submitted_and_the_log_has_its_report(submitted, monkeypatch, capsys):
    report = corpus_run().publish
    monkeypatch.setattr(done_ahead, "take", lambda *asked: asked[2] == "publish" and report)
    assert submitted() == []
    logged = capsys.readouterr().out
    assert "The Spark application of the task inventory has done this job" in logged
    assert "== publish ==" in logged
    assert report.sentence() in logged


def test_a_job_that_was_not_done_is_submitted(submitted, monkeypatch):
    monkeypatch.setattr(done_ahead, "take", lambda *_: None)
    assert submitted() == ["publish"]

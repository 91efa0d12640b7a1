from __future__ import annotations

import pytest

from segue.corpus import ahead, done_ahead, publish, steps
from segue.corpus.days import Days
from segue.corpus.jobs import Run
from segue.corpus.reports import AheadReport, CleaningReport, ExtractReport, PublishReport
from segue.errors import QualityGateError
from segue.runs import summaries
from segue.settings import get_settings

pytestmark = pytest.mark.integration
RUN_ID = "corpus/ahead"
JOBS = ("extract", "integrate", "publish")


@pytest.fixture
def run(listed, monkeypatch):
    """A run whose job `inventory` has just ended; it announces nothing."""
    monkeypatch.setattr(publish, "announce", lambda *_: None)
    here = get_settings().model_copy(update={"music": listed.music, "lake": listed.lake.uri})
    done_ahead.forget(RUN_ID)
    yield Run(RUN_ID, listed.lake, here, Days())
    listed.database[summaries.COLLECTION].delete_many({"run_id": RUN_ID})


def test_a_small_run_is_done_in_one_application_and_each_task_takes_over_its_report_once(listed, run, capsys):
    ahead.go_on(run, most=11)
    assert "Done too: extract, integrate and publish." in capsys.readouterr().out
    assert listed.database.tracks.count_documents({}) == 8
    for job, kind in zip(JOBS, (ExtractReport, CleaningReport, PublishReport), strict=True):
        taken = done_ahead.take(listed.database, RUN_ID, job)
        assert isinstance(taken, kind)
        assert taken == summaries.find(RUN_ID, kind)
    assert done_ahead.take(listed.database, RUN_ID, "publish") is None, "a cleared task does its own work"


@pytest.mark.usefixtures("run")
def test_a_job_that_runs_by_itself_makes_those_after_it_run_too(listed):
    summaries.keep(RUN_ID, AheadReport(jobs=("integrate", "publish")))
    assert done_ahead.take(listed.database, RUN_ID, "extract") is None
    assert done_ahead.take(listed.database, RUN_ID, "integrate") is None


def test_a_larger_run_is_left_to_its_tasks(listed, run, capsys):
    ahead.go_on(run, most=10)
    assert "More than 10 files are to be extracted" in capsys.readouterr().out
    assert done_ahead.take(listed.database, RUN_ID, "extract") is None
    assert listed.lake.read("features").isEmpty()


def test_what_fails_is_left_to_its_task_and_nothing_is_published_past_the_gate(listed, run, monkeypatch, capsys):
    def refuse(*_):
        raise QualityGateError("1 of 8 checks failed")

    monkeypatch.setattr(steps, "check_quality", refuse)
    ahead.go_on(run, most=11)
    said = capsys.readouterr().out
    assert (
        "publish was not done here: the next tasks go on from it. QualityGateError: 1 of 8 checks failed" in said
    )
    assert "Done too: extract and integrate." in said
    assert listed.database.tracks.count_documents({}) == 0
    assert [bool(done_ahead.take(listed.database, RUN_ID, job)) for job in JOBS] == [True, True, False]

from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime

import pytest

from segue.errors import CorpusError, ServiceUnavailableError
from segue.runs import summaries
from segue.settings import PROJECT_DIR


@pytest.fixture
def plugin(monkeypatch, tmp_path):
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    monkeypatch.syspath_prepend(str(PROJECT_DIR / "plugins"))
    import segue_tasks

    return segue_tasks


@pytest.fixture
def summary(plugin, monkeypatch):
    """Run the last task of a training on the summary that a job has left; return what it keeps."""
    kept = {}
    monkeypatch.setattr(plugin, "mongo_database", nullcontext)
    monkeypatch.setattr(summaries, "write", lambda _run, _job, total, into: kept.update(total))  # noqa: ARG005

    def run(done):
        monkeypatch.setattr(summaries, "read", lambda _run, source: {"job": done} if done else {})  # noqa: ARG005
        plugin.training_summary.function("d/r", datetime.now(UTC).isoformat(), "job", "there")

    return run, kept


def test_only_what_segue_refuses_fails_at_once(plugin):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="no audio"), plugin.refusals_fail_at_once():
        raise CorpusError("no audio")
    for again in (ServiceUnavailableError("away"), KeyError("a bug")):
        with pytest.raises(type(again)), plugin.refusals_fail_at_once():
            raise again


def test_what_retention_took_is_kept_and_makes_the_summary_skip_visibly(summary):
    from airflow.sdk.exceptions import AirflowSkipException

    run, kept = summary
    with pytest.raises(AirflowSkipException, match="deleted 1,200 events"):
        run({"decision": "promoted", "lost_by_retention": 1_200})
    assert kept["lost_by_retention"] == 1_200


def test_where_nothing_was_lost_it_succeeds(summary):
    run, kept = summary
    run({"decision": "kept", "lost_by_retention": 0})
    assert kept["results"] == "there"


def test_a_job_that_left_nothing_fails_it(summary):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="left no summary"):
        summary[0](None)


def test_a_corpus_with_nothing_to_learn_from_skips_it_with_the_reason(summary):
    from airflow.sdk.exceptions import AirflowSkipException

    run, kept = summary
    with pytest.raises(AirflowSkipException, match=r"^Nothing was trained. No published track has a genre."):
        run({"decision": "skipped", "reason": "No published track has a genre."})
    assert kept["decision"] == "skipped"

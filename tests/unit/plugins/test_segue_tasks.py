from __future__ import annotations

from contextlib import nullcontext
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from segue.errors import CorpusError, ServiceUnavailableError
from segue.genres.reports import GenreReport, Predictions
from segue.recommender.reports import (
    ComparisonFigures,
    FullTrainingReport,
    IncrementalUpdateReport,
    TrackPlacementReport,
)
from segue.runs import summaries

KEPT = {"decision": "kept", "reason": "no better", "seconds": 3.0}
PLACED = TrackPlacementReport(**KEPT, window="{}", days_announced=1)
TRAINED = FullTrainingReport(**KEPT, compared=ComparisonFigures(ndcg_at_10={}, listens=4), learned="{}")
UPDATED = IncrementalUpdateReport(**KEPT, window="{}", messages_in_window=4, waiting_after_window=0)
GENRE = GenreReport(**KEPT, predictions=Predictions(reason="there is no genre champion yet"))


@pytest.fixture
def plugin():
    import segue_tasks

    return segue_tasks


@pytest.fixture
def summary(plugin, monkeypatch):
    """Run the last task of a training on the report that its job has left; return what it keeps and tells."""
    kept, told = [], []
    monkeypatch.setattr(plugin, "mongo_database", nullcontext)
    monkeypatch.setattr(summaries, "keep", lambda run, report, into: kept.append((run, report)))  # noqa: ARG005

    def run(report, job=None):
        found = {type(report): report}
        monkeypatch.setattr(summaries, "find", lambda _run, kind, source: found.get(kind))  # noqa: ARG005
        ti = SimpleNamespace(xcom_push=lambda key, value: told.append((key, value)))
        plugin.training_summary.function("d/r", datetime.now(UTC).isoformat(), job or report.JOB, "there", ti)

    return run, kept, told


def test_only_what_segue_refuses_fails_at_once(plugin):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="no audio"), plugin.refusals_fail_at_once():
        raise CorpusError("no audio")
    for again in (ServiceUnavailableError("away"), KeyError("a bug")):
        with pytest.raises(type(again)), plugin.refusals_fail_at_once():
            raise again


def test_what_retention_took_makes_the_summary_skip_visibly(summary):
    from airflow.sdk.exceptions import AirflowSkipException

    run, kept, told = summary
    with pytest.raises(AirflowSkipException, match="deleted 1,200 events") as skipped:
        run(PLACED.model_copy(update={"lost_by_retention": 1_200}))
    assert [run_id for run_id, _ in kept] == ["d/r"]
    assert told == [("outcome", str(skipped.value))]


@pytest.mark.parametrize("report", [PLACED, TRAINED, UPDATED, GENRE], ids=lambda report: report.JOB)
def test_where_nothing_was_lost_it_prints_the_report_and_keeps_the_summary(summary, report, capsys):
    run, kept, told = summary
    run(report)
    [(run_id, done)] = kept
    assert told == [("outcome", report.sentence())]
    assert (run_id, done.results) == ("d/r", "there")
    assert done.seconds >= 0
    printed = capsys.readouterr().out.splitlines()
    assert printed[0] == "== d =="
    assert any(line.startswith("reason .") and line.endswith("no better") for line in printed)
    assert any(line.startswith("results .") and line.endswith("there") for line in printed)


def test_a_job_that_left_nothing_fails_it(summary):
    from airflow.sdk.exceptions import AirflowFailException

    with pytest.raises(AirflowFailException, match="'train_genre' left no report of the run d/r"):
        summary[0](None, "train_genre")


def test_a_corpus_with_nothing_to_learn_from_skips_it_with_the_reason(summary):
    from airflow.sdk.exceptions import AirflowSkipException

    run, kept, told = summary
    with pytest.raises(AirflowSkipException, match=r"^Nothing was trained. No published track has a genre."):
        run(GENRE.model_copy(update={"decision": "skipped", "reason": "No published track has a genre."}))
    assert len(kept) == len(told) == 1


def test_the_first_line_of_a_python_task_is_what_its_function_does(plugin, caplog):
    caplog.set_level("INFO")

    def check():
        """Check the report.

        More about it.
        """

    plugin.announce({"task": SimpleNamespace(python_callable=check)})
    plugin.announce({"task": SimpleNamespace()})  # an operator, which says itself what it does
    assert caplog.messages == ["Check the report."]

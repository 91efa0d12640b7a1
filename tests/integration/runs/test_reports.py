from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from tests.support import corpus_reports

from segue.errors import ReportError
from segue.runs import conclusion, reports, summaries
from segue.runs.conclusion import MissedDeadline

RUN = "recommender/manual__2026-10-01T00:00:00+00:00"


pytestmark = pytest.mark.integration


@pytest.fixture
def database(mongo):
    yield mongo.client["reports-alone"]
    mongo.client.drop_database("reports-alone")


def test_what_is_saved_is_read_again(database):
    reports.save(RUN, "<p>Björk</p>", into=database)
    assert reports.read(RUN, source=database) == "<p>Björk</p>"


def test_a_run_without_a_report_has_none(database):
    reports.save(RUN, "one", into=database)
    assert reports.read(f"{RUN}0", source=database) is None


def test_a_job_that_runs_again_replaces_its_report(database):
    for html in ("first", "second"):
        reports.save(RUN, html, into=database)
    assert [document["html"] for document in database[reports.COLLECTION].find()] == ["second"]


def test_a_report_that_mongodb_would_refuse_is_refused_with_what_to_do(database):
    largest = "é" * (reports.MAX_BYTES // 2)
    reports.save(RUN, largest, into=database)
    assert reports.read(RUN, source=database) == largest
    with pytest.raises(ReportError, match=r"16\.8 MB.*fewer or smaller figures"):
        reports.save(RUN, largest + "é", into=database)


def test_of_each_dag_the_newest_stay(database, monkeypatch):
    monkeypatch.setattr(reports, "KEPT", 2)
    for run in ("genre/1", "genre_model/1", "genre/2", "genre/3", "genre/1"):
        reports.save(run, run, into=database)
    kept = {report["_id"] for report in database[reports.COLLECTION].find()}
    assert kept == {
        "genre/1",
        "genre/3",
        "genre_model/1",
    }


def test_old_reports_of_jobs_go_but_the_newest_of_each_job_of_a_dag_stay(database, monkeypatch):
    monkeypatch.setattr(summaries, "KEPT", 2)
    for run in ("genre/1", "genre/2", "genre/3", "genre_model/1", "genre_model/2"):
        summaries.keep(run, MissedDeadline(missed="It is late."), into=database)
    summaries.keep("genre/1", conclusion.RunSummary(results="somewhere", seconds=1.0), into=database)
    assert summaries.delete_old(datetime.now(UTC) - timedelta(minutes=1), source=database) == 0
    assert summaries.delete_old(datetime.now(UTC), source=database) == 1
    assert summaries.find("genre/1", MissedDeadline, source=database) is None
    assert database[summaries.COLLECTION].count_documents({}) == 5


def test_a_run_without_a_report_shows_what_its_jobs_have_reported(database):
    assert "No job of this run has reported anything yet" in reports.of_jobs(RUN, source=database)
    summaries.keep(RUN, MissedDeadline(missed="It is <late>."), into=database)
    summaries.keep(f"{RUN}0", MissedDeadline(missed="Another run."), into=database)
    html = reports.of_jobs(RUN, source=database)
    assert "<h2>Deadline</h2>" in html
    assert "It is &lt;late&gt;." in html
    assert "Another run." not in html


def test_figures_of_jobs_have_words_and_no_keys(database):
    report = corpus_reports.run().inventory
    summaries.keep(RUN, report, into=database)
    html = reports.of_jobs(RUN, source=database)
    assert "Found: left out: unreadable folders" in html
    assert not re.findall(r">[a-z]+[._][a-z._]+<", html), "raw keys"

from __future__ import annotations

import math
from datetime import date

from tests.support.corpus_reports import run

from segue.corpus import report
from segue.corpus.rejected import RejectedFile
from segue.corpus.report import RunOfCorpus
from segue.corpus.reports import CheckedFigure, DayCounts, GateReport, PingReport

NASTY = '<script>alert("x")</script>.mp3'


def check(name, value, high=0.9, *, passed=True):
    remedy = "" if passed else "SEGUE_GATE_MAX_REJECTED=0.7"
    return CheckedFigure(name=name, value=value, low=0, high=high, passed=passed, remedy=remedy)


def reports_of(**changes):
    made = run()
    parts = {name: getattr(made, name) for name in ("inventory", "extract", "integrate", "publish")}
    return RunOfCorpus(**(parts | changes))


REJECTED = [RejectedFile(NASTY, date(2026, 3, 1), "SILENT", "All samples are 0.", 10)]


def test_a_run_lists_its_rejected_files_with_reason_and_remedy():
    html = report.page(reports_of(), REJECTED)
    assert "2 tracks of all days are published. Of 3 files, 1 were rejected." in html
    assert "&lt;script&gt;alert(&#34;x&#34;)&lt;/script&gt;.mp3" in html
    assert NASTY not in html
    for said in ("2026-03-01", "SILENT", "All samples are 0.", "silent on purpose"):
        assert said in html


def test_a_long_list_says_where_the_rest_is(monkeypatch):
    monkeypatch.setattr(report, "SHOWN_FILES", 2)
    files = [RejectedFile(f"{n}.mp3", date(2026, 3, 1), "EMPTY", "No bytes.", 0) for n in range(3)]
    html = report.page(reports_of(), files)
    assert "The first 2 of 3 files. <code>segue rejects</code> lists all" in html
    assert "1.mp3" in html
    assert "2.mp3" not in html


def test_a_refused_run_shows_what_failed_and_how_it_would_pass():
    gate = GateReport(
        passed=False,
        tracks=2,
        failed=("share of files rejected: 0.67",),
        checks=(check("tracks", 2, math.inf), check("share of files rejected", 0.67, 0.5, passed=False)),
    )
    html = report.page(reports_of(gate=gate, publish=None), REJECTED)
    assert "Nothing was published: the quality gate refused it (share of files rejected: 0.67)." in html
    assert html.index("share of files rejected</th>") < html.index("tracks</th>"), "what failed comes first"
    assert "SEGUE_GATE_MAX_REJECTED=0.7" in html
    assert "at least 0" in html
    assert 'class="verdict bad"' in html


def test_drift_is_drawn_with_its_limit():
    gate = GateReport(passed=True, tracks=2, failed=(), checks=(check("drift of tempo", 0.25), check("tracks", 2)))
    html = report.page(reports_of(gate=gate), [])
    assert 'aria-label="Distance by descriptor: tempo 0.25."' in html
    assert 'class="limit"' in html


def test_days_whose_counts_differ_are_marked():
    integrate = run().integrate
    days = {"2026-03-01": DayCounts(files=2, features=1, rejects=1, tracks=1), "2026-03-02": DayCounts(files=1)}
    html = report.page(reports_of(integrate=integrate.model_copy(update={"days": days, "partitions": 9})), [])
    assert "The run covers 9 days. These 2 look worst." in html
    assert html.count("counts differ") == 1


def test_a_ping_and_an_unchanged_run_say_so():
    ping = PingReport(partitions=1, would_extract=4)
    assert RunOfCorpus(ping=ping).verdict == (
        "Only listed: a run would extract 4 files. Nothing was changed.",
        "good",
    )
    publish = run().publish.model_copy(update={"unchanged_since": "corpus/manual__1"})
    assert "Nothing has changed since corpus/manual__1" in reports_of(publish=publish).verdict[0]


def test_an_unreadable_table_of_rejects_does_not_fail_the_run():
    html = report.page(reports_of(), (), "Rejected files cannot be listed. The table is damaged.")
    assert "are published. Of 3 files, 1 were rejected. Rejected files cannot be listed." in html
    assert 'class="verdict bad"' in html


def test_infinite_bounds_survive_mongodb():
    gate = GateReport(passed=True, tracks=2, failed=(), checks=(check("tracks", 2, math.inf),))
    assert GateReport.of_document(gate.to_document()) == gate


def test_the_page_of_a_search_says_what_was_searched_for():
    html = report.listing(REJECTED, reason="silent", day=date(2026, 3, 1))
    assert "1 file with the reason SILENT of 2026-03-01 was rejected." in html
    assert "0 files were rejected." in report.listing([], reason=None, day=None)

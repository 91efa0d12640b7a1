from __future__ import annotations

from tests.support.corpus_reports import cleaning, run

from segue.corpus.outcome import outcome
from segue.runs.summaries import render


def test_the_last_line_of_each_job_says_what_came_of_it_and_where_to_look():
    reports = run(files=3_000, published=2_500)
    assert [report.sentence().partition(". ")[0] for report in reports.each()] == [
        "3,000 files on 1 days: 3,000 new, 0 changed, 0 gone",
        "2,500 of 3,000 files have features; 3,000 were extracted now",
        "2,500 tracks of 1 days are merged and clean",
        "2,500 documents were written and 0 removed",
    ]
    for report, place in zip(reports.each(), ("inventory", "rejects", "tracks", "segue.tracks"), strict=True):
        assert place in report.sentence()
    assert outcome(reports, 1.0).sentence() == (
        "2,500 of 3,000 files are published as tracks, 500 are rejected. The collection segue.tracks has 9 tracks."
    )


def test_a_printed_report_leaves_out_what_only_programs_read():
    days = {f"2026-03-{day:02}": {"files": 1, "tracks": 1} for day in range(1, 32)}
    printed = render("integrate", cleaning(days=days, quantiles={"zcr": (0.1,) * 11}))
    assert "2026-03-07" not in printed
    assert "quantiles" not in printed
    assert "digest" not in printed
    assert "counts.files" in printed

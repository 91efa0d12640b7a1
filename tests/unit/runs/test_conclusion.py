from __future__ import annotations

from segue.runs.conclusion import MissedDeadline, RunSummary


def test_the_summary_of_version_0_which_repeated_the_report_is_read():
    old = {"decision": "kept", "reason": "no better", "model": "genre/3", "results": "there", "seconds": 31.5}
    summary = RunSummary.of_document(old)
    assert summary == RunSummary(results="there", seconds=31.5)
    assert RunSummary.of_document(summary.to_document()) == summary


def test_a_missed_deadline_of_version_0_is_read():
    note = MissedDeadline.of_document({"missed": "genre_model/r was queued 3 hours ago and has not succeeded."})
    assert note.missed.startswith("genre_model/r was queued")
    assert MissedDeadline.of_document(note.to_document()) == note

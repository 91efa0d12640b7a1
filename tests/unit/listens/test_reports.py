from __future__ import annotations

from segue.listens.reports import Held, Ingested, ListensReport, MissedArtist, Rematched

OLD = {
    "messages": 6,
    "events": 3,
    "unreadable": 2,
    "days": 2,
    "offsets": {"0": "0 to 4", "1": "0 to 2"},
    "taken_back": 1,
    "rematched": 0,
    "unmatched": 4,
    "unmatched_artists": [{"artist": "$uicideboy$", "listens": 4}],
    "table": {"days": "2026-03-05 to 2026-03-05", "listens": 3, "matched": 1, "listeners": 3},
    "seconds": 31.5,
}
"""A report of version 0, as the job wrote it at commit 59ecd42."""


def test_a_report_of_version_0_is_read_and_written_as_today():
    report = ListensReport.of_document(OLD)
    assert report == ListensReport(
        ingested=Ingested(messages=6, events=3, unreadable=2, days=2, offsets={"0": "0 to 4", "1": "0 to 2"}),
        taken_back=1,
        rematched=Rematched(
            rematched=0, unmatched=4, unmatched_artists=(MissedArtist(artist="$uicideboy$", listens=4),)
        ),
        held=Held(days="2026-03-05 to 2026-03-05", listens=3, matched=1, listeners=3),
        seconds=31.5,
    )
    assert ListensReport.of_document(report.to_document()) == report


def test_a_report_of_version_0_before_the_first_listen_is_read():
    nothing = {"messages": 0, "events": 0, "unreadable": 0, "days": 0, "seconds": 9.5}
    report = ListensReport.of_document(nothing)
    assert (report.ingested, report.rematched, report.held) == (Ingested(), Rematched(), None)

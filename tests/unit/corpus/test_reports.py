"""Reports of version 0, which had no types: those of a run of 11 files on 2026-11-28, at commit 59ecd42."""

from __future__ import annotations

import json
from datetime import date
from pathlib import Path

import pytest
from tests.support.corpus_reports import run

from segue.corpus.reports import (
    CleaningReport,
    CorpusReports,
    CorpusSummary,
    DayCounts,
    ExtractReport,
    GateReport,
    InventoryReport,
    LakeVersions,
    Outcomes,
    PublishReport,
    Work,
)
from segue.errors import ReportError

OLD = json.loads(Path(__file__).with_name("reports_of_version_0.json").read_text())
KINDS = (InventoryReport, ExtractReport, CleaningReport, GateReport, PublishReport, CorpusSummary)


def read(kind):
    return kind.of_document(OLD[kind.JOB])


@pytest.mark.parametrize("kind", KINDS)
def test_what_was_migrated_is_written_and_read_as_today(kind):
    migrated = read(kind)
    assert migrated.version == kind.model_fields["version"].default
    assert kind.of_document(migrated.to_document()) == migrated


def test_the_inventory_of_version_0_is_read():
    report = read(InventoryReport)
    assert (report.music, report.late_days) == ("/music", (date(2026, 3, 1),))
    assert (report.found.files, report.found.size_mb, report.found.metadata["rows"]) == (11, 0.303248, 6)
    assert report.found.metadata_digest == read(CleaningReport).metadata_digest


def test_the_extraction_of_version_0_is_read():
    report = read(ExtractReport)
    rejected = {"EMPTY": 1, "SILENT": 1, "UNREADABLE": 1}
    assert report.outcomes == Outcomes(files=11, features=8, rejects=3, rejected=rejected)
    assert report.lake == LakeVersions(inventory=1, features=1, rejects=1)
    assert (report.work.extracted, report.work.extracting_s, report.skipped) == (11, 69.57191375699949, 0)
    assert report.work.tracks_per_s == pytest.approx(OLD["extract"]["tracks_per_s"])
    assert report.work.mb_per_s == pytest.approx(OLD["extract"]["megabytes_per_s"])


def test_the_cleaning_of_version_0_is_read():
    report = read(CleaningReport)
    assert (report.asked_from, report.asked_to) == (None, None)
    assert (report.first_day, report.last_day) == (date(2026, 3, 1), date(2026, 3, 5))
    assert report.late_days == (date(2026, 2, 27),)
    assert report.counts == DayCounts(files=11, features=8, rejects=3, tracks=8)
    assert report.days["2026-03-05"] == DayCounts(files=6, features=4, rejects=2, tracks=4)
    assert (report.measured.tracks, report.measured.genres) == (8, {"(none)": 4, "Reel": 4})
    assert len(report.measured.quantiles["rmse"]) == 11


def test_the_publication_of_version_0_is_read():
    report = read(PublishReport)
    assert (report.published.tracks, report.published.written, report.days_announced) == (8, 8, 3)
    assert report.unchanged_since is None
    stood = PublishReport.of_document(OLD["publish"] | {"unchanged_since": "corpus/a"})
    assert stood.unchanged_since == "corpus/a"


def test_a_ping_of_version_0_is_no_extraction():
    ping = {"mode": "ping", "partitions": 3, "extracted": 0, "same_bytes": 0, "would_extract": 11}
    with pytest.raises(ReportError, match="'extract' cannot be read"):
        ExtractReport.of_document(ping)


def test_an_extraction_of_version_1_counted_touched_files():
    document = run().extract.to_document()
    old = document | {"version": 1, "work": document["work"] | {"same_bytes": 3}}
    assert ExtractReport.of_document(old) == run().extract


def test_the_reports_of_a_run_are_kept_together():
    reports = run()
    assert CorpusReports.model_validate(reports.to_document()) == reports


def test_two_extractions_add_up():
    first = Work(extracted=2, extracted_mb=10.0, extracting_s=4.0, cores_s=8.0, working_s=7.0, seconds=9.0)
    both = first + Work(extracted=1, extracted_mb=2.0, extracting_s=2.0, cores_s=4.0, working_s=2.0, seconds=3.0)
    assert both == Work(
        extracted=3, extracted_mb=12.0, extracting_s=6.0, cores_s=12.0, working_s=9.0, seconds=12.0
    )
    assert (both.tracks_per_s, both.mb_per_s, both.cores_busy) == (0.5, 2.0, 0.75)


def test_an_extraction_of_nothing_has_no_speed():
    assert (Work().tracks_per_s, Work().mb_per_s, Work().cores_busy) == (0.0, 0.0, 0.0)


def test_a_verdict_of_version_1_had_no_checks():
    old = {"version": 1, "passed": False, "tracks": 3, "failed": ["tracks: 3"]}
    assert GateReport.of_document(old) == GateReport(passed=False, tracks=3, failed=("tracks: 3",))

"""The verdicts of the quality gate: the last good run to compare with, and the days that are held back.

What failed stays in the lake and is not published; documents published before stay. The collection ``quarantine``
holds a document for the range of each run that failed, and one for each of its late days, until they have passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from pymongo.database import Database

from segue.corpus.drift import MIN_TRACKS
from segue.corpus.gate import Check
from segue.corpus.reports import CleaningReport, GateReport
from segue.errors import ReportError
from segue.runs import summaries

COLLECTION = "quarantine"


def last_good(database: Database[Any], run_id: str) -> CleaningReport | None:
    """Find the report to compare with.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>`` of the run at hand, which is not compared with itself.

    Returns
    -------
    CleaningReport or None
        Of the last other run that passed with at least `MIN_TRACKS` tracks. None also if its report cannot be
        read, which is printed: else no run could pass any more.
    """
    passed = {
        "job": GateReport.JOB,
        "run_id": {"$ne": run_id},
        "summary.passed": True,
        "summary.tracks": {"$gte": MIN_TRACKS},
    }
    verdict = database[summaries.COLLECTION].find_one(passed, sort=[("written_at", -1)])
    try:
        return verdict and summaries.find(verdict["run_id"], CleaningReport, source=database)
    except ReportError as error:
        print(f"Drift is not checked. {error}", flush=True)
        return None


def record(database: Database[Any], run_id: str, report: CleaningReport, checks: Sequence[Check]) -> None:
    """Keep the verdict on a run, and hold its days back or set them free.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>``.
    report : CleaningReport
    checks : sequence of Check
        What `segue.corpus.gate.judge` made of it.
    """
    failed = tuple(f"{check.name}: {check.value:.4g}" for check in checks if not check.passed)
    verdict = GateReport(passed=not failed, tracks=report.measured.tracks, failed=failed)
    summaries.keep(run_id, verdict, into=database)
    # The range asked for, and not only its days with files: days whose files were all deleted are free, too.
    asked = [(report.asked_from, report.asked_to), *((day, day) for day in report.late_days)]
    for first, last in asked:
        database[COLLECTION].delete_many(_within(first, last))
    if failed:
        spans = {f"{run_id}/{day}": (day, day) for day in report.late_days}
        if report.first_day and report.last_day:
            spans[run_id] = report.first_day, report.last_day
        for key, (first, last) in spans.items():
            held = {"first_day": str(first), "last_day": str(last), "failed": failed, "since": datetime.now(UTC)}
            database[COLLECTION].replace_one({"_id": key}, held, upsert=True)


def _within(first: date | None, last: date | None) -> dict[str, Any]:
    """Filter what is held of days within a range whose ends may be open."""
    low = {"first_day": {"$gte": str(first)}} if first else {}
    return low | ({"last_day": {"$lte": str(last)}} if last else {})

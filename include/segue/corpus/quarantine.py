"""The verdicts of the quality gate: the last good run to compare with, and the days that are held back.

Days that fail stay in the lake and are not published. Documents that were published earlier stay in MongoDB. For
each failed run, the collection ``quarantine`` holds a document for the range of days, and one for each late day.
They stay there until these days pass.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, date, datetime
from typing import Any

from pymongo.database import Database

from segue.corpus.drift import MIN_TRACKS
from segue.corpus.gate import Check
from segue.corpus.reports import CheckedFigure, CleaningReport, GateReport
from segue.errors import ReportError
from segue.runs import summaries

COLLECTION = "quarantine"


def last_good(database: Database[Any], run_id: str) -> CleaningReport | None:
    """Find the report with which a run is compared.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>`` of the current run. It is not compared with itself.

    Returns
    -------
    CleaningReport or None
        Report of the last other run that passed with at least `MIN_TRACKS` tracks. None if there is none. If the
        report cannot be read, print why and return None: an error would stop every later run too.
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
    """Store the verdict on a run. Put its days into quarantine if it failed, or release them if it passed.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>``.
    report : CleaningReport
    checks : sequence of Check
        Result of `segue.corpus.gate.judge`.
    """
    failed = tuple(f"{check.name}: {check.value:.4g}" for check in checks if not check.passed)
    verdict = GateReport(
        passed=not failed,
        tracks=report.measured.tracks,
        failed=failed,
        checks=tuple(map(_figure, checks)),
    )
    summaries.keep(run_id, verdict, into=database)
    # Use the whole requested range, not only its days with files. Otherwise a day would stay in quarantine after
    # all its files were deleted.
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


def _figure(check: Check) -> CheckedFigure:
    names = ("name", "value", "low", "high", "passed", "remedy")
    return CheckedFigure(**{name: getattr(check, name) for name in names})


def _within(first: date | None, last: date | None) -> dict[str, Any]:
    """Return the filter for documents whose days are within a range. None means that this end is open."""
    low = {"first_day": {"$gte": str(first)}} if first else {}
    return low | ({"last_day": {"$lte": str(last)}} if last else {})

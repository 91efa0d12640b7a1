"""The verdicts of the quality gate: the last good run to compare with, and the days that are held back.

What failed stays in the lake and is not published; documents published before stay. The collection ``quarantine``
holds a document for the range of each run that failed, and one for each of its late days, until they have passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database

from segue.corpus.drift import MIN_TRACKS
from segue.corpus.gate import Check
from segue.runs import summaries

COLLECTION = "quarantine"
JOB = "quality_gate"


def last_good(database: Database[Any], run_id: str) -> summaries.Summary | None:
    """Find the report to compare with.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>`` of the run at hand, which is not compared with itself.

    Returns
    -------
    dict or None
        What `segue.corpus.integrate.run` returned in the last other run that passed with tracks enough.
    """
    passed = {
        "job": JOB,
        "run_id": {"$ne": run_id},
        "summary.passed": True,
        "summary.tracks": {"$gte": MIN_TRACKS},
    }
    verdict = database[summaries.COLLECTION].find_one(passed, sort=[("written_at", -1)])
    return summaries.read(verdict["run_id"], source=database).get("integrate") if verdict else None


def record(database: Database[Any], run_id: str, report: Mapping[str, Any], checks: Sequence[Check]) -> None:
    """Keep the verdict on a run, and hold its days back or set them free.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>``.
    report : mapping
        What `segue.corpus.integrate.run` returned.
    checks : sequence of Check
        What `segue.corpus.gate.judge` made of it.
    """
    failed = [f"{check.name}: {check.value:.4g}" for check in checks if not check.passed]
    verdict = {"passed": not failed, "tracks": report["tracks"], "failed": failed}
    summaries.write(run_id, JOB, verdict, into=database)
    # The range asked for, and not only its days with files: those whose files were all deleted are free, too.
    asked = [report["range"], *([day, day] for day in report["late_days"])]
    for first, last in asked:
        database[COLLECTION].delete_many(_within(first, last))
    if failed:
        spans = {f"{run_id}/{day}": (day, day) for day in report["late_days"]}
        if report["first_day"]:
            spans[run_id] = report["first_day"], report["last_day"]
        for key, (first, last) in spans.items():
            held = {"first_day": first, "last_day": last, "failed": failed, "since": datetime.now(UTC)}
            database[COLLECTION].replace_one({"_id": key}, held, upsert=True)


def _within(first: str | None, last: str | None) -> dict[str, Any]:
    """Filter what is held of days within a range whose ends may be open."""
    low = {"first_day": {"$gte": first}} if first else {}
    return low | ({"last_day": {"$lte": last}} if last else {})

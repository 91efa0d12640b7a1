"""The steps of the DAG `corpus` that need no Spark. They run before, between and after its Spark jobs."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from pymongo.database import Database

from segue.corpus import gate, publications, quarantine
from segue.corpus import report as run_report
from segue.corpus.outcome import outcome
from segue.corpus.reports import CleaningReport, CorpusReports, ExtractReport, PingReport
from segue.errors import CorpusError
from segue.runs import summaries
from segue.settings import Settings


def has_changed(database: Database[Any], run_id: str, days: str, mode: str, settings: Settings) -> bool:
    """Decide whether a run has anything to do, and print why.

    If nothing has changed, the reports of the run that published these days are also stored as this run's reports.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>``.
    days : str
        Name of the range of days, as for `segue.corpus.publications.find`.
    mode : str
        The DAG's parameter of this name.
    settings : Settings

    Returns
    -------
    bool
        False if these days were published from the current music, metadata, lake, rules and limits. True if not,
        or if the mode is not ``skip``. True also if music or metadata cannot be read; the job `inventory` then
        fails with the reason.
    """
    if mode != "skip":
        print(f"Mode {mode}: the run goes on, changed or not.", flush=True)
        return True
    try:
        present = publications.present(settings, datetime.now(UTC).date())
    except CorpusError as error:
        print(f"{error} The run goes on; the task inventory will fail with the same error.", flush=True)
        return True
    standing = publications.find(database, days, present)
    if not standing:
        state = "music, metadata, lake, rules and limits as they are now"
        print(f"{days}: not published yet from {state}, so the run goes on.", flush=True)
        return True
    print(
        f"Nothing has changed since {standing.publish.unchanged_since}, so what it published stands.", flush=True
    )
    for report in standing.each():
        summaries.keep(run_id, report, into=database)
    return False


def check_quality(database: Database[Any], run_id: str, settings: Settings) -> None:
    """Check the report of the job `integrate`, then print and store the verdict. Write a report if a check failed.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>``.
    settings : Settings
        The settings that begin with ``gate_`` are the limits.

    Raises
    ------
    QualityGateError
        If a check failed. The days are then in the collection `quarantine`.
    ReportError
        If a job left no report, or one that cannot be read.
    """
    report = summaries.require(run_id, CleaningReport, source=database)
    extracted_files = summaries.require(run_id, ExtractReport, source=database).outcomes.files
    checks = gate.judge(report, extracted_files, quarantine.last_good(database, run_id), settings)
    quarantine.record(database, run_id, report, checks)
    if checks:
        print(gate.table(checks), flush=True)
    if any(not check.passed for check in checks):
        run_report.save(database, run_id, settings.lake_uri)
    gate.require(checks)
    print(gate.sentence(checks), flush=True)


def conclude(database: Database[Any], run_id: str, days: str, started: datetime, settings: Settings) -> str:
    """Print and store the summary and the HTML report of a run, and record what it has published.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>``.
    days : str
        As for `has_changed`.
    started : datetime
        When the run started.
    settings : Settings

    Returns
    -------
    str
        What the run has come to, in a sentence or two. It is printed, too.

    Raises
    ------
    CorpusError
        If there were files but no track was published.
    ReportError
        If a job left no report, or one that cannot be read.
    """
    run_report.save(database, run_id, settings.lake_uri)
    if ping := summaries.find(run_id, PingReport, source=database):
        print(summaries.render("A ping: nothing was extracted or published", ping), flush=True)
        print(ping.sentence(), flush=True)
        return ping.sentence()
    reports = CorpusReports.of_run(run_id, database)
    total = outcome(reports, (datetime.now(UTC) - started).total_seconds())
    if key := publications.published_from(reports, settings):
        publications.record(database, days, key, run_id, reports)
    print(summaries.render("corpus", total), flush=True)
    summaries.keep(run_id, total, into=database)
    print(total.sentence(), flush=True)
    return total.sentence()

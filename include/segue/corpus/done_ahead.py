"""Which jobs of a run are done before their tasks, by the Spark application of `inventory`."""

from __future__ import annotations

from typing import Any

from pymongo.database import Database

from segue.corpus.reports import AheadReport, CleaningReport, ExtractReport, PublishReport
from segue.runs import summaries

KINDS: dict[str, type[summaries.Report]] = {
    kind.JOB: kind for kind in (ExtractReport, CleaningReport, PublishReport)
}


def forget(run_id: str) -> None:
    """Forget which jobs were done, because `inventory` runs again.

    Parameters
    ----------
    run_id : str
        ``<dag_id>/<run_id>``.
    """
    summaries.keep(run_id, AheadReport())


def take(database: Database[Any], run_id: str, job: str) -> summaries.Report | None:
    """Take over the report of a job that is done. Each job can be taken over once.

    Otherwise the job is about to run. What was done of the jobs after it no longer counts then.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>``.
    job : str

    Returns
    -------
    Report or None
        None if the job is not done, or its report was taken over before.
    """
    done = summaries.find(run_id, AheadReport, source=database) or AheadReport()
    is_done = job in done.jobs
    left = tuple(each for each in done.jobs if each != job) if is_done else ()
    summaries.keep(run_id, AheadReport(jobs=left), into=database)
    return summaries.require(run_id, KINDS[job], source=database) if is_done else None

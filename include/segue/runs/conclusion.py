"""The last step of a run whose work is one Spark job: a training, or the DAG `listens`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pymongo.database import Database

from segue.errors import ReportError
from segue.runs import summaries


def summary_of(database: Database[Any], run_id: str, job: str) -> summaries.Summary:
    """Read the summary that a job has written in a run.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id : str
        ``<dag_id>/<run_id>``.
    job : str
        Name of the job.

    Returns
    -------
    dict
        The summary, as the job wrote it.

    Raises
    ------
    ReportError
        If the job has written no summary in this run.
    """
    found = summaries.read(run_id, source=database).get(job)
    if found is None:
        raise ReportError(f"The job {job!r} left no summary of the run {run_id}. Clear its task to run it again.")
    return found


def conclude(database: Database[Any], run_id: str, job: str, **more: Any) -> summaries.Summary:
    """Print the summary of a job, and store it as the summary of its run.

    Parameters
    ----------
    database : pymongo.database.Database
    run_id, job : str
        As for `summary_of`.
    **more
        Further figures of the run.

    Returns
    -------
    dict
        The summary of the run.

    Raises
    ------
    ReportError
        As for `summary_of`.
    """
    total = summary_of(database, run_id, job) | more
    print(summaries.render(run_id.partition("/")[0], total), flush=True)
    summaries.write(run_id, "summary", total, into=database)
    return total


def shortfall(total: Mapping[str, Any]) -> str | None:
    """Describe what a training that succeeded could not do.

    Parameters
    ----------
    total : mapping
        Summary of the run.

    Returns
    -------
    str or None
        A sentence if the corpus has nothing to learn from, or if retention had deleted events before they were
        used. The run has not failed, because a retry would not help, but it must not look like a full success.
    """
    if total.get("decision") == "skipped":
        return f"Nothing was trained. {total['reason']}"
    if lost := total.get("lost_by_retention"):
        return (
            f"Retention had deleted {lost:,} events before this run could use them. It has used the others: see "
            "above. Increase the retention of the topic, or run the DAG more often."
        )
    return None

"""What the DAGs share: documentation, the id of the run, retries, time limits, and how an error ends a task."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from airflow.sdk import task
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from segue.errors import SegueError
from segue_alerts import TaskFailed
from segue_connections import mongo_database
from segue_outcome import tell

if TYPE_CHECKING:
    from airflow.sdk import Context

RUN_ID = "{{ dag.dag_id }}/{{ run_id }}"
"""Template of the key under which the jobs and tasks of a run store their reports."""

STARTED = "{{ dag_run.start_date.isoformat() }}"
"""Template of the time at which the run started."""

RETRYING: dict[str, Any] = {
    "retries": 7,
    "retry_delay": timedelta(seconds=10),
    "retry_exponential_backoff": 2.0,
    "max_retry_delay": timedelta(minutes=5),
}
"""Arguments of a task that needs a service. The delays begin at 10 seconds and add up to a quarter of an hour.

A service may be suspended, or be started again by hand. The night's run must not fail before that.
"""

DEFAULTS: dict[str, Any] = {"owner": "segue", "on_failure_callback": TaskFailed()}
"""Arguments of every task."""

TIME_LIMIT = timedelta(hours=1)
"""Longest run time of a task without Spark. The clients' own limits are shorter; this one ends any other hang."""

QUIET = {
    "kafka": logging.CRITICAL,  # it logs each connection; Segue says each error once, in its own words
    "openlineage": logging.WARNING,
    "airflow.providers.openlineage": logging.WARNING,  # half of its modules use Python's loggers
}
"""Levels of loggers that would fill the logs of tasks. Airflow's own loggers take theirs from `namespace_levels`.

Airflow imports this module with the other plugins, in each process and before each task.
"""
for name, level in QUIET.items():
    logging.getLogger(name).setLevel(level)

log = logging.getLogger(__name__)


def documented(text: str | None) -> dict[str, Any]:
    """Return the arguments of a DAG that document it. Its description is the first line of the text."""
    doc = text or ""
    return {"description": doc.partition("\n")[0], "doc_md": doc}


def announce(context: Context) -> None:
    """Log what a Python task will do, which is the first line of its function's docstring. For `pre_execute`."""
    function = getattr(context["task"], "python_callable", None)
    if function and function.__doc__:
        log.info(function.__doc__.strip().partition("\n")[0])


PYTHON_TASK: dict[str, Any] = RETRYING | {"pre_execute": announce}
"""Arguments of a Python task, besides its time limit."""


@contextmanager
def refusals_fail_at_once() -> Iterator[None]:
    """End a task without a retry, unless the error says that a retry may help.

    :class:`segue_spark.SparkJobOperator` makes the same decision from the exit code of a job.

    Raises
    ------
    AirflowFailException
        With the message of the `SegueError`.
    """
    try:
        yield
    except SegueError as error:
        if error.retry_may_help:
            raise
        raise AirflowFailException(f"{error}") from None


@task(task_id="summary", **PYTHON_TASK, execution_timeout=TIME_LIMIT)
def training_summary(run: str, started: str, job: str, results: str, ti: Any = None) -> None:
    """Print the report of a training, and store the summary of its run.

    The task ends as *skipped* if the training could not use everything: see
    :meth:`segue.runs.conclusion.TrainingReport.shortfall`.

    Parameters
    ----------
    run, started : str
        `RUN_ID` and `STARTED`.
    job : str
        Name of the Spark job that trained.
    results : str
        Where the results are.
    ti : RuntimeTaskInstance
        Airflow passes it.
    """
    from segue.genres.reports import GenreReport
    from segue.recommender.reports import FullTrainingReport, IncrementalUpdateReport, TrackPlacementReport
    from segue.runs import conclusion

    kinds: list[type[conclusion.TrainingReport]] = [
        GenreReport,
        FullTrainingReport,
        IncrementalUpdateReport,
        TrackPlacementReport,
    ]
    seconds = (datetime.now(UTC) - datetime.fromisoformat(started)).total_seconds()
    summary = conclusion.RunSummary(results=results, seconds=seconds)
    with refusals_fail_at_once(), mongo_database() as database:
        report = conclusion.conclude(database, run, {kind.JOB: kind for kind in kinds}[job], summary)
    said = report.shortfall()
    tell(ti, said or report.sentence())
    if said:
        raise AirflowSkipException(said)

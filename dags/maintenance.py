"""Delete what is kept of old runs.

**What.** Airflow keeps every run, with the state of its tasks and a log file for each attempt. *clean_database*
deletes the rows of old runs with `airflow db clean`, which keeps the last run of each DAG. It deletes nothing that
is newer than the oldest run that has not finished. *remove_logs* deletes the log files of tasks and of the DAG
processor that are as old. It also rotates each log of a service that is larger than 20 MB, and keeps the earlier
lines in `….old.log`. *delete_reports* deletes the reports of jobs in MongoDB that are as old, but keeps the newest
100 of each job.

**When.** Every Sunday at 04:00 (UTC). It is the only DAG that is not paused at first.

**Inputs.** `SEGUE_AIRFLOW_KEEP_DAYS`: days for which Airflow keeps runs and logs, 90 by default. The form can set
another number for one run.

**Outputs.** None. Tracks, listens, lake and models are not touched. A backfill of *missing* days regards a day
whose run was deleted as missing.

**When it fails.** The last line of the failed task's log says what and why. Nothing was lost; clear the task.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.sdk import Param, dag, task

from segue.settings import get_settings
from segue_connections import mongo_database
from segue_days import by_the_clock
from segue_outcome import tell
from segue_params import refuse_wrong_params
from segue_tasks import DEFAULTS, PYTHON_TASK, TIME_LIMIT, documented, refusals_fail_at_once

PARAMS = {
    "keep_days": Param(
        get_settings().airflow_keep_days,
        type="integer",
        minimum=1,
        title="Days to keep",
        description="Runs that started earlier, and logs and reports that were written earlier, are deleted.",
    ),
}
KEEP_DAYS = "{{ params.keep_days }}"


@dag(
    schedule=by_the_clock("0 4 * * 0"),
    catchup=False,
    max_active_runs=1,
    # A backfill would delete the same rows for each week, so Airflow does not offer it.
    allowed_run_types=["scheduled", "manual"],  # type: ignore[list-item] # it converts them
    is_paused_upon_creation=False,
    params=PARAMS,
    tags=["segue", "maintenance"],
    default_args=DEFAULTS,
    **documented(__doc__),
)
def maintenance() -> None:
    """Wire the tasks."""
    clean_database(KEEP_DAYS) >> remove_logs(KEEP_DAYS) >> delete_reports(KEEP_DAYS)


@task(**PYTHON_TASK | {"pre_execute": refuse_wrong_params}, execution_timeout=TIME_LIMIT)
def clean_database(keep_days: str) -> None:
    """Delete old rows of Airflow's database."""
    from segue.runs.progress import step, to_output
    from segue.stack import upkeep

    before = _days_ago(keep_days)
    with refusals_fail_at_once(), step("Delete old rows", say=to_output):
        upkeep.clean_database(get_settings(), before)
    print(f"Deleted the rows of runs that started before {before:%Y-%m-%d %H:%M} UTC.", flush=True)


@task(**PYTHON_TASK, execution_timeout=TIME_LIMIT)
def remove_logs(keep_days: str) -> None:
    """Delete old log files of runs, and rotate the logs of services."""
    from pathlib import Path

    from airflow.configuration import conf

    from segue.runs.progress import step, to_output
    from segue.stack import upkeep

    folder = Path(conf.get("logging", "base_log_folder"))
    with step("Delete old logs", say=to_output):
        files, size_bytes = upkeep.remove_logs(folder, _days_ago(keep_days))
    print(f"Deleted {files:,} log files of {size_bytes / 1e6:,.1f} MB in {folder}.", flush=True)
    rotated = upkeep.rotate_logs(get_settings().state_dir / "logs")
    print(
        f"Rotated {len(rotated):,} logs of services: {', '.join(map(str, rotated)) or 'none is large'}.",
        flush=True,
    )


@task(**PYTHON_TASK, execution_timeout=TIME_LIMIT)
def delete_reports(keep_days: str, ti: Any = None) -> None:
    """Delete old reports of jobs from MongoDB."""
    from segue.runs import summaries

    with refusals_fail_at_once(), mongo_database() as database:
        count = summaries.delete_old(_days_ago(keep_days), source=database)
    said = f"Deleted old runs and logs, and {count:,} reports of jobs."
    print(said, flush=True)
    tell(ti, said)


def _days_ago(keep_days: str) -> datetime:
    return datetime.now(UTC) - timedelta(days=int(keep_days))


maintenance()

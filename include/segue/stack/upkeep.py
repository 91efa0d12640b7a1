"""Delete what Airflow keeps of old runs: rows of its database, and log files. Rotate the logs of services."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

from segue.errors import StackError
from segue.settings import Settings
from segue.stack.service import LOG_LIMIT_BYTES

TABLES = (
    "asset_event",
    "callback",
    "dag_run",
    "dag_version",
    "import_error",
    "job",
    "log",
    "partitioned_asset_key_log",
    "revoked_token",
    "task_reschedule",
)
"""Tables that `airflow db clean` cleans, together with those that refer to them.

Not `trigger`: Airflow itself deletes triggers that nothing waits for. Its command would also delete others.
"""

_UNFINISHED = "SELECT MIN(start_date) AS oldest FROM dag_run WHERE state IN ('running', 'queued')"
_CONNECTION = "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"


def clean_database(settings: Settings, before: datetime) -> None:
    """Delete the rows of runs that started before a time. Airflow keeps the last run of each DAG.

    Nothing is deleted that is newer than the oldest run that has not finished. Airflow's command would also delete
    the tasks of that run. (Its option to exclude DAGs fails on tables that have no column `dag_id`.)

    Parameters
    ----------
    settings : Settings
    before : datetime
        With a time zone.

    Raises
    ------
    StackError
        If Airflow's command fails. Its output is in the log of this process.
    """
    if (oldest := _oldest_unfinished(settings)) and oldest < before:
        before = oldest
        print(f"Rows since {before:%Y-%m-%d %H:%M} are kept: a run of then has not finished.", flush=True)
    command = ["db", "clean", "--clean-before-timestamp", before.isoformat(), "--tables", ",".join(TABLES)]
    command += ["--skip-archive", "--yes", "--error-on-cleanup-failure"]
    # In a task, Airflow hides the database from this process. Its command must see it.
    surroundings = os.environ | {_CONNECTION: settings.airflow_uri, "_AIRFLOW_PROCESS_CONTEXT": "server"}
    surroundings.pop("AIRFLOW__CORE__SQL_ALCHEMY_CONN", None)
    answer = subprocess.run([sys.executable, "-m", "airflow", *command], env=surroundings, check=False)
    if answer.returncode:
        raise StackError("`airflow db clean` failed. Its output above says why. Nothing is lost; run it again.")


def _oldest_unfinished(settings: Settings) -> datetime | None:
    from sqlalchemy import TIMESTAMP, create_engine, text

    engine = create_engine(settings.airflow_uri)
    try:
        with engine.connect() as connection:
            oldest: datetime | None = connection.scalar(text(_UNFINISHED).columns(oldest=TIMESTAMP(timezone=True)))
    finally:
        engine.dispose()
    return oldest.replace(tzinfo=UTC) if oldest and oldest.tzinfo is None else oldest


def remove_logs(folder: Path, before: datetime) -> tuple[int, int]:
    """Delete log files that nobody has written to since a time, and the folders that this empties.

    Parameters
    ----------
    folder : Path
        Airflow's folder of logs.
    before : datetime
        With a time zone.

    Returns
    -------
    tuple of (int, int)
        Number of deleted files, and their size in bytes.
    """
    files = size_bytes = 0
    gone: set[Path] = set()
    for parent, folders, names in os.walk(folder, topdown=False):
        here = Path(parent)
        for path in (here / name for name in names):
            status = path.lstat()
            if status.st_mtime < before.timestamp():
                path.unlink()
                gone.add(path)
                files, size_bytes = files + 1, size_bytes + status.st_size
        # A folder that was empty before is left alone, because a task may be about to write into it.
        has_lost_some = any(here / name in gone for name in (*folders, *names))
        if has_lost_some and here != folder and not any(here.iterdir()):
            here.rmdir()
            gone.add(here)
    return files, size_bytes


def rotate_logs(folder: Path, limit_bytes: int = LOG_LIMIT_BYTES) -> list[Path]:
    """Copy the logs of services that are larger than a limit, and begin them anew. The services go on writing.

    A service appends to its log, so it continues at the beginning of the emptied file. Lines that it writes
    between the copy and the emptying are lost.

    Parameters
    ----------
    folder : Path
        The stack's folder of logs. It need not exist.
    limit_bytes : int

    Returns
    -------
    list of Path
        The copies, ``….old.log``.
    """
    copies = []
    for log in sorted(folder.glob("*.log")):
        if log.name.endswith(".old.log") or log.stat().st_size <= limit_bytes:
            continue
        copies.append(log.with_suffix(".old.log"))
        shutil.copy2(log, copies[-1])
        os.truncate(log, 0)
    return copies

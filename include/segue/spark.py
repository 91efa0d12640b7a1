"""Open a Spark session, and end a Spark job the way an operator can read."""

from __future__ import annotations

import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from segue.errors import SegueError, StackError
from segue.settings import get_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Begins the last line of a job that stopped because of its input; ``plugins/segue_spark.py`` looks for it.
REFUSAL = "segue: "

DISK_FULL = tuple(map(os.strerror, (errno.ENOSPC, errno.EDQUOT)))
"""How Java and Python say that a disk is full, whatever they wrap around it."""


def session(app_name: str) -> SparkSession:
    """Open the Spark session of this process.

    Parameters
    ----------
    app_name : str
        Name shown by Spark.

    Returns
    -------
    SparkSession
        Configured by spark-submit and SPARK_CONF_DIR: nothing is set here, so that a cluster needs no change.
    """
    from pyspark.sql import SparkSession

    return SparkSession.builder.appName(app_name).getOrCreate()


@contextmanager
def job(name: str) -> Iterator[SparkSession]:
    """Run the body of a Spark job; stop the session at its end, whatever happens.

    Parameters
    ----------
    name : str
        Name of the job, such as ``extract``.

    Yields
    ------
    SparkSession
        The session of the job.

    Raises
    ------
    SystemExit
        With code 1 after a `SegueError`, whose message is then the last line of the output, without a traceback,
        and likewise after an error that comes from a full disk. `REFUSAL` stands before the message unless it is
        a `StackError`. Any other exception passes through.
    """
    try:
        spark = session(f"segue-{name}")
        try:
            yield spark
        finally:
            spark.stop()
    except Exception as error:
        last_words = _last_words(error)
        if last_words is None:
            raise
        print(last_words, flush=True)
        raise SystemExit(1) from error


def _last_words(error: BaseException) -> str | None:
    """Say in a sentence why the job ends; None if only the traceback can tell."""
    if isinstance(error, StackError):  # a service may be back at the next try
        return str(error)
    if isinstance(error, SegueError):
        return f"{REFUSAL}{error}"
    return f"{REFUSAL}{_full_disk()}" if _is_of_a_full_disk(error) else None


def _is_of_a_full_disk(error: BaseException | None) -> bool:
    """Look for a full disk in an error and in what it was raised from."""
    if error is None:
        return False
    is_told = any(told in str(error) for told in DISK_FULL)
    return is_told or _is_of_a_full_disk(error.__cause__ or error.__context__)


def _full_disk() -> str:
    settings = get_settings()
    places = {
        "the lake": Path(settings.lake_uri),
        "the state folder": settings.state_dir,
        "temporary files": Path(tempfile.gettempdir()),
    }
    free = (
        f"{shutil.disk_usage(place).free // 10**6:,} MB free for {what} ({place})"
        for what, place in places.items()
        if place.exists()  # a lake in an object store does not
    )
    return (
        f"A disk is full: {', '.join(free)}. Free some space, then clear this task. "
        "What was committed stays, and the rest is done again."
    )

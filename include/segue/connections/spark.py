"""Open a Spark session, and end a Spark job the way an operator can read."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from segue import disk
from segue.errors import SegueError, StackError
from segue.settings import get_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

#: Begins the last line of a job that stopped because of its input; ``plugins/segue_spark.py`` looks for it.
REFUSAL = "segue: "


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
        With code 1 after a `SegueError`, whose message is then the last line of the output, without a traceback;
        `REFUSAL` stands before it unless it is a `StackError`. An error that a full disk explains ends in the same
        way. Any other exception passes through.
    """
    try:
        spark = session(f"segue-{name}")
        try:
            yield spark
        finally:
            spark.stop()
    except StackError as error:  # a service may be back at the next try
        print(error, flush=True)
        raise SystemExit(1) from error
    except SegueError as error:
        print(f"{REFUSAL}{error}", flush=True)
        raise SystemExit(1) from error
    except Exception as error:
        explanation = disk.explanation(error, get_settings().state_dir / "mongo")
        if explanation is None:
            raise
        print(f"{REFUSAL}{explanation}", flush=True)
        raise SystemExit(1) from error

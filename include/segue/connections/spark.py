"""Open a Spark session, and end a Spark job with an exit code that says whether a retry may help."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

from segue import disk, errors
from segue.connections import delta_log, java_output
from segue.errors import SegueError
from segue.settings import get_settings

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REFUSED = os.EX_DATAERR
"""Exit code of a job that refused its input or settings (65 in sysexits.h). A retry would fail again."""

TRY_AGAIN = os.EX_TEMPFAIL
"""Exit code of a job after an error that a retry may mend (75 in sysexits.h): see `SegueError.retry_may_help`."""


OFTEN_LOOKED_UP = (
    "org.apache.spark.api.python.PythonUtils",
    "org.apache.spark.sql.api.python.PythonSQLUtils",
    "org.apache.spark.sql.functions",
)
"""Classes that PySpark asks for by their short names, for each column expression.

Without their full names, Java looks for them in several packages by turns, and each time in all 250 jars.
"""


def session(app_name: str) -> SparkSession:
    """Open the Spark session of this process.

    Parameters
    ----------
    app_name : str
        Name shown by Spark.

    Returns
    -------
    SparkSession
        Configured by spark-submit and SPARK_CONF_DIR. No option is set here, so a cluster needs no change.
    """
    from py4j.java_gateway import java_import
    from pyspark.sql import SparkSession

    # spark-submit has started the JVM already.
    quiet = nullcontext() if "PYSPARK_GATEWAY_PORT" in os.environ else java_output.without_first_line()
    with quiet:
        made = SparkSession.builder.appName(app_name).getOrCreate()
    for name in OFTEN_LOOKED_UP:
        java_import(made.sparkContext._jvm, name)
    return made


def close(spark: SparkSession) -> None:
    """Remove the checkpoints of a session, and stop it."""
    folder = spark.sparkContext.getCheckpointDir()
    if folder:
        from py4j.protocol import Py4JError

        with suppress(Py4JError, OSError):  # the store or the JVM is away; `Lake.vacuum` removes them later
            jvm = spark.sparkContext._jvm
            path = jvm.org.apache.hadoop.fs.Path(folder)  # type: ignore[union-attr] # there is a JVM
            path.getFileSystem(spark.sparkContext._jsc.hadoopConfiguration()).delete(path, True)
    spark.stop()


@contextmanager
def job(name: str) -> Iterator[SparkSession]:
    """Run the body of a Spark job, and stop the session at its end, whatever happens.

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
        After an error whose cause is known, in this process or in a Python worker. Its message is the last line of
        the output, without a traceback. The code is `TRY_AGAIN` after a `SegueError` whose `retry_may_help` is
        True, and if the disk is full, before the job or in its middle. It is `REFUSED` after any other
        `SegueError`. spark-submit ends with the same code, unless the driver runs on a cluster (deploy mode
        ``cluster``). Any other exception is not caught. Python and spark-submit then end with 1.
    """
    try:
        disk.require_space(get_settings().state_dir)
        delta_log.check(get_settings().lake_uri)
        spark = session(f"segue-{name}")
        try:
            yield spark
        finally:
            close(spark)
    except SegueError as error:
        _end(f"{error}", _code(error), error)
    except Exception as error:
        if of_worker := workers_error(error):
            _end(f"{of_worker}", _code(of_worker), error)
        if remedy := next((remedy for text, remedy in _REMEDIES.items() if text in f"{error}"), None):
            _end(remedy, REFUSED, error)
        explanation = disk.explanation(error, *_places())
        if explanation is None:
            raise
        _end(explanation, TRY_AGAIN, error)


def _places() -> Iterator[Path]:
    """Return the folders of this machine that a job and its services write to."""
    settings = get_settings()
    yield settings.state_dir / "mongo"
    if "://" not in settings.lake_uri:
        yield Path(settings.lake_uri)
    yield from map(Path, filter(None, os.environ.get("SPARK_LOCAL_DIRS", "").split(",")))


def workers_error(error: Exception) -> SegueError | None:
    """Find the error that Segue raised in a Python worker, in the traces of Python and Java around it.

    Parameters
    ----------
    error : Exception
        What Spark raised in the driver.

    Returns
    -------
    SegueError or None
        An error of the same class and with the same message. None if Segue did not raise it.
    """
    found = _WORKERS_ERROR.search(str(error))
    kind = getattr(errors, found[1], None) if found else None
    return kind(found[2].strip()) if found and kind else None


_REMEDIES = {
    "Record is corrupt": (
        "Some messages in Kafka cannot be read any more: their checksum is wrong. Look at the disk of Kafka. Then "
        "run `segue rebuild topic`: it takes them out, and sends again what the lake and MongoDB have of them."
    ),
    "S3AFileSystem not found": (
        "The jars by which Spark reaches an object store are missing. Run `segue jars` with the settings of this "
        "job, on this machine and on all that run executors."
    ),
}
"""What to do about an error of Java, by a part of its text."""

_WORKERS_ERROR = re.compile(r"^segue\.errors\.(\w+): (.+?)(?=\n\s+at |\n\n|\Z)", re.MULTILINE | re.DOTALL)


def _code(error: SegueError) -> int:
    return TRY_AGAIN if error.retry_may_help else REFUSED


def _end(last_line: str, code: int, cause: Exception) -> NoReturn:
    _silence_jvm()
    print(last_line, flush=True)
    raise SystemExit(code) from cause


def _silence_jvm() -> None:
    """Turn off the JVM's log: a shutdown hook that fails would print its stack trace after the last line."""
    from py4j.protocol import Py4JError
    from pyspark import SparkContext

    gateway = SparkContext._gateway  # an active session is not needed: Spark may have failed to start
    if gateway is not None:
        with suppress(Py4JError, OSError):  # the JVM has died
            log4j = gateway.jvm.org.apache.logging.log4j
            log4j.core.config.Configurator.setAllLevels("", log4j.Level.OFF)

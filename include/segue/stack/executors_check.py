"""Try from Spark's executors what they need, as `segue doctor` does if the master is not local."""

from __future__ import annotations

import re
import socket
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

from segue.connections import kafka, kafka_options, probes, storage
from segue.errors import SegueError
from segue.settings import Settings
from segue.stack.finding import Finding
from segue.stack.services_check import TIMEOUT_MS, try_mongodb
from segue.stack.spark_session import spark_session

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

REGISTERED_S = 60
PACKAGES = ("pyspark", "numpy", "numba", "pyarrow", "segue")
"""Packages of which driver and executors need the same version."""


def examine(settings: Settings) -> Iterator[Finding]:
    """Open a Spark session on the cluster, and try music, lake, MongoDB and Kafka on its executors.

    Parameters
    ----------
    settings : Settings

    Yields
    ------
    Finding
        One for each fault, with the host of the executor if its Python has found it. Nothing for a local master.
    """
    if settings.is_local:
        return
    try:
        with spark_session() as spark:
            if _executors(spark):
                yield from map(Finding, _faults(spark, settings))
            else:
                yield Finding(_nobody(spark, settings))
    except _of_java() as error:
        yield Finding(f"Spark cannot be used on {settings.spark_master}: {_cause(error)}")


def _executors(spark: SparkSession) -> int:
    """Wait for the first executor. Without one, a job would wait for ever."""
    tracker, until = spark.sparkContext._jsc.sc().statusTracker(), time.monotonic() + REGISTERED_S
    while not (count := len(tracker.getExecutorInfos()) - 1) and time.monotonic() < until:  # one is the driver
        time.sleep(0.5)
    return count


def _nobody(spark: SparkSession, settings: Settings) -> str:
    driver = spark.conf.get("spark.driver.host")
    return (
        f"No executor of {settings.spark_master} has registered within {REGISTERED_S} s. Look in the master's UI "
        f"whether {settings.spark_executor_cores} cores and {settings.spark_executor_memory_mb} MB are free on a "
        f"worker, and in the executors' logs whether they reach this machine as {driver}."
    )


def _faults(spark: SparkSession, settings: Settings) -> Iterator[str]:
    """Yield a sentence for each thing that does not work on the executors."""
    here, slots = _versions(), 2 * spark.sparkContext.defaultParallelism

    def seen(_: Iterable[int]) -> Iterator[str]:
        return iter(_seen_by_python(settings, here))

    yield from sorted(set(spark.sparkContext.parallelize(range(slots), slots).mapPartitions(seen).collect()))
    of_java: Sequence[tuple[str, Callable[[], object]]] = (
        (f"the lake {settings.lake_uri}", partial(_write_to_lake, spark, settings)),
        ("MongoDB", partial(_read_mongodb, spark)),
        (f"Kafka at {settings.kafka_bootstrap}", partial(_read_kafka, spark, settings)),
    )
    for place, attempt in of_java:
        try:
            attempt()
        except _of_java() as error:
            yield f"Spark's executors cannot use {place}: {_cause(error)}"


def _versions() -> dict[str, str]:
    return {name: version(name) for name in PACKAGES}


def _seen_by_python(settings: Settings, of_driver: dict[str, str]) -> list[str]:
    """Return what is wrong on the machine of this Python worker."""
    told = [
        f"{name} {other} is installed, but {of_driver[name]} where the driver runs: use the same environment"
        for name, other in _versions().items()
        if other != of_driver[name]
    ]
    music = str(settings.music_dir)
    try:
        if not storage.names(music):
            told.append(f"the music folder {music} is empty or does not exist: use a place that all machines see")
    except Exception as error:  # noqa: BLE001 - each store's library has its own
        told.append(f"the music folder {music} cannot be listed: {error}")
    told += [finding.sentence for finding in try_mongodb(settings)]
    return [f"On {socket.gethostname()}: {sentence}" for sentence in told]


def _write_to_lake(spark: SparkSession, settings: Settings) -> None:
    """Write and read a small table on the executors. It is removed with the session's checkpoints."""
    slots = spark.sparkContext.defaultParallelism
    spark.sparkContext.setCheckpointDir(f"{settings.lake_uri}/_checkpoints")
    folder = spark.sparkContext.getCheckpointDir()
    spark.range(slots, numPartitions=slots).write.parquet(f"{folder}/doctor")
    if spark.read.parquet(f"{folder}/doctor").count() != slots:
        raise SegueError("Rows that were written did not come back.")


def _read_mongodb(spark: SparkSession) -> None:
    spark.read.format("mongodb").option("collection", probes.COLLECTION).load().count()


def _read_kafka(spark: SparkSession, settings: Settings) -> None:
    probes.check_kafka(settings, kafka.config(settings), TIMEOUT_MS / 1000)  # so that there is something to read
    messages = spark.read.format("kafka").options(**kafka_options.for_spark(settings))
    messages.option("subscribe", settings.health_topic).load().count()


def _of_java() -> tuple[type[Exception], ...]:
    """Return what an error of the JVM becomes in Python."""
    from py4j.protocol import Py4JError
    from pyspark.errors import PySparkException

    return Py4JError, PySparkException, SegueError


def _cause(error: Exception) -> str:
    """Return the first line of the deepest cause that Java names."""
    causes = re.findall(r"(?m)^Caused by: (.+)$", str(error))
    return str(causes[-1] if causes else error).splitlines()[0]

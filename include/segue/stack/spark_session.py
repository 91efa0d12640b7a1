"""A Spark session in this process, for the commands that need one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from segue.connections.spark import session
from segue.settings import get_settings
from segue.stack import jars, prerequisites, spark_conf

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@contextmanager
def spark_session() -> Iterator[SparkSession]:
    """Open a Spark session that is configured as those of the stack's jobs are, and stop it afterwards.

    Yields
    ------
    SparkSession

    Raises
    ------
    PrerequisiteError
        If Java is missing or too old.
    StackError
        If the jars of Spark cannot be fetched.
    """
    settings = get_settings()
    prerequisites.java()
    jars.fetch(settings)
    spark_conf.write(settings)
    os.environ |= spark_conf.environment(settings)
    spark = session("segue")
    try:
        yield spark
    finally:
        spark.stop()

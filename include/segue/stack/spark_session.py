"""A Spark session in this process, for the commands that need one."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from segue.connections.spark import close, session
from segue.settings import get_settings
from segue.stack import jars, prerequisites, spark_conf

if TYPE_CHECKING:
    from pyspark.sql import SparkSession


@contextmanager
def spark_session() -> Iterator[SparkSession]:
    """Open a Spark session that is configured as those of the stack's jobs are, and stop it afterwards.

    Its files are in a folder that is removed afterwards, so that no state folder is made for a corpus.

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
    settings.home.mkdir(parents=True, exist_ok=True)
    with TemporaryDirectory(prefix="spark-", dir=settings.home) as folder:
        own = settings.model_copy(update={"home": Path(folder), "jars": settings.jars_dir})
        spark_conf.write(own)
        spark_variables = {
            name: value for name, value in spark_conf.environment(own).items() if not name.startswith("SEGUE_")
        }
        os.environ |= settings.environment | spark_variables
        spark = session("segue")
        try:
            yield spark
        finally:
            close(spark)

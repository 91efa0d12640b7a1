"""Shared fixtures: one real stack for the whole run, on ports of its own, beside whatever else runs."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING

import pytest

from segue.settings import PROJECT_DIR, Settings, get_settings
from segue.stack import jars, spark_conf

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PORTS = ("airflow_port", "kafka_port", "kafka_controller_port", "mongo_port")


@pytest.fixture(scope="session")
def settings() -> Iterator[Settings]:
    """Point this process, and what it starts, at a home of the tests' own."""
    made = Settings(
        home=PROJECT_DIR / ".segue-test",
        corpus="test",
        jars=PROJECT_DIR / ".segue" / "jars",
        spark_driver_memory_mb=1024,
        **dict(zip(PORTS, free_ports(len(PORTS)), strict=True)),
    )
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("SEGUE_")]:
            patch.delenv(name)
        for name, value in made.environment.items():
            patch.setenv(name, value)
        get_settings.cache_clear()
        yield made
    get_settings.cache_clear()


@pytest.fixture(scope="session")
def spark(settings: Settings) -> Iterator[SparkSession]:
    """Start one Spark session with Delta, configured as every job of the stack is."""
    from pyspark.sql import SparkSession

    jars.fetch(settings)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in spark_conf.environment(settings).items():
            patch.setenv(name, value)
        session = SparkSession.builder.appName("tests").getOrCreate()
        yield session
        session.stop()


def free_ports(count: int) -> list[int]:
    """Find ports of 127.0.0.1 that nobody listens on, all different."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]

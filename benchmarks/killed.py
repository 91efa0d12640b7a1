"""Helpers of the benchmarks that kill services: a separate stack, and Spark jobs that end with ``kill -9``."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console

from segue.settings import PROJECT_DIR, Settings
from segue.stack import lifecycle, ports, spark_conf
from segue.stack.service import Service

console = Console(highlight=False)

INTERPRETED = ("spark.sql.codegen.wholeStage=false", "spark.sql.codegen.factoryMode=NO_CODEGEN")
"""Properties of Spark. It then compiles no expressions, which takes most of the CPU time of a job of few rows."""


@contextmanager
def own_stack(parts: Sequence[str], inside: Path | None = None) -> Iterator[Settings]:
    """Start some services in a temporary folder, on free ports; stop them and remove it at the end.

    Parameters
    ----------
    parts : sequence of str
        Some of `lifecycle.PARTS`.
    inside : Path, optional
        Where to make the folder. Default: in the system's folder of temporary files.
    """
    for asked_to_stop in (signal.SIGINT, signal.SIGTERM):  # so that the stack ends too, even in the background
        signal.signal(asked_to_stop, signal.default_int_handler)
    home = Path(tempfile.mkdtemp(prefix="segue-killed-", dir=inside))
    settings = Settings(
        home=home,
        jars=Settings().jars_dir,
        api_requests_per_window=1_000_000,
        spark_driver_memory_mb=1024,
        **ports.for_a_stack(),
    )
    try:
        lifecycle.up(settings, parts, say=console.print)
        yield settings
    finally:
        lifecycle.down(settings)
    shutil.rmtree(home)


def kill(service: Service) -> None:
    """Kill -9."""
    process = service.process()
    if process is not None:
        process.kill()
        process.wait()


def restart(settings: Settings, parts: Sequence[str], *services: Service) -> None:
    """Kill some services and start all that do not run."""
    for service in services:
        kill(service)
    lifecycle.up(settings, parts)


@contextmanager
def spark_job(
    settings: Settings, log: Path, job: str, *arguments: str, properties: Sequence[str] = ()
) -> Iterator[subprocess.Popen[bytes]]:
    """Start a Spark job as its DAG does; kill -9 its remaining processes at the end."""
    submit = [str(Path(sys.prefix) / "bin" / "spark-submit"), *(f"--conf={each}" for each in properties)]
    command = [*submit, str(PROJECT_DIR / "spark_jobs" / f"{job}.py"), *arguments]
    environment = os.environ | spark_conf.environment(settings)
    with log.open("ab") as output:
        running = subprocess.Popen(command, env=environment, stdout=output, stderr=output, start_new_session=True)
    try:
        yield running
    finally:
        if running.poll() is None:
            os.killpg(running.pid, signal.SIGKILL)
            running.wait()


def run_spark_job(
    settings: Settings, log: Path, job: str, *arguments: str, properties: Sequence[str] = ()
) -> float:
    """Run a Spark job to its end; return the seconds it took."""
    began = time.monotonic()
    with spark_job(settings, log, job, *arguments, properties=properties) as running:
        if running.wait() != 0:
            raise RuntimeError(f"The job {job!r} failed:\n{log.read_text()[-3_000:]}")
    return time.monotonic() - began

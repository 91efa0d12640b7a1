"""``segue live``: run the live recommendations, and restart them after a crash."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import typer

RESTART_AFTER_S = 0.5


def live() -> None:
    """Update recommendations as listens arrive, until Ctrl-C.

    A worker reads listens from Kafka and writes recommendations to MongoDB and Kafka. If it dies, it is restarted
    and continues after the last listens that it completed. To share the work, run this command several times, up
    to the number of partitions of the topic of listens.
    """
    # One thread: for one listener at a time, memory bandwidth limits the matrix product, not the cores.
    environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"} | os.environ
    command = [sys.executable, "-m", "segue.recommender.serving.live"]
    worker = subprocess.Popen(command, env=environment)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        while (code := worker.wait()) != 0:
            typer.echo(f"The worker ended with exit code {code}. Restarting it.")
            time.sleep(RESTART_AFTER_S)
            worker = subprocess.Popen(command, env=environment)
    except _StoppedError:
        worker.terminate()
        raise typer.Exit(worker.wait()) from None


class _StoppedError(Exception):
    """A signal has asked the service to stop."""


def _stop(*_: object) -> None:
    # The handler must not wait for the worker: the interrupted wait holds its lock.
    raise _StoppedError

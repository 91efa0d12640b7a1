"""``segue live``: the live recommendations, kept running."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import typer

RESTART_AFTER_S = 0.5


def live() -> None:
    """Recommend as listens arrive, until Ctrl-C: reads Kafka's listens, writes MongoDB and Kafka.

    A worker that dies is started again and goes on where its work was last finished. Start this as many times as
    the topic of listens has partitions to share the work.
    """
    # One thread: at one listener a time the matrix product is bound by memory, and the other core has other work.
    environment = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"} | os.environ
    command = [sys.executable, "-m", "segue.recommender.serving.live"]
    worker = subprocess.Popen(command, env=environment)

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, _stop)
    try:
        while (code := worker.wait()) != 0:
            typer.echo(f"The worker ended with {code}; starting another.")
            time.sleep(RESTART_AFTER_S)
            worker = subprocess.Popen(command, env=environment)
    except _StoppedError:
        worker.terminate()
        raise typer.Exit(worker.wait()) from None


class _StoppedError(Exception):
    """Somebody wants the service to end."""


def _stop(*_: object) -> None:
    # Nothing is waited for in here: the wait that the signal interrupts holds the worker's lock.
    raise _StoppedError

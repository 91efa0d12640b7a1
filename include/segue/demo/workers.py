"""Processes that share a list of jobs. All of them end with the call."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from multiprocessing.connection import wait
from typing import TypeVar

from segue.errors import CorpusError

Item = TypeVar("Item")
Result = TypeVar("Result")


def run_in_processes(
    job: Callable[[Item], Result], items: list[Item], workers: int | None = None
) -> Iterator[Result]:
    """Run a job for every item, and yield the results as they come.

    Parameters
    ----------
    job
        A function that can be pickled: a function of a module, or a `functools.partial` of one.
    workers
        Number of processes; default one for each core.

    Raises
    ------
    CorpusError
        If a process is killed. An exception of a job is raised unchanged, and no further job begins.
    """
    # Spawn, not fork: the caller may run threads.
    executor = ProcessPoolExecutor(
        max_workers=workers,
        mp_context=multiprocessing.get_context("spawn"),
        initializer=_start,
    )
    try:
        for future in as_completed([executor.submit(job, item) for item in items]):
            yield future.result()
    except BrokenProcessPool as error:
        raise CorpusError(
            "A process that rendered the sample corpus was killed, perhaps for lack of memory. Run the command "
            "again. It continues where it stopped."
        ) from error
    finally:
        executor.shutdown(cancel_futures=True)


def _start() -> None:
    """Ignore Ctrl-C, which is for the parent. End if the parent is killed, instead of waiting for work forever."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)

    def end_with_parent() -> None:
        wait([multiprocessing.parent_process().sentinel])  # type: ignore[union-attr]
        os._exit(1)

    threading.Thread(target=end_with_parent, daemon=True).start()

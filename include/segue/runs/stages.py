"""Say in a job's log what it is at, so that nobody takes a long stage for one that hangs.

    merge and clean: begins
    merge and clean: 15 s, 3 of 8 Spark tasks
    merge and clean: done in 21.4 s

A line between the first and the last is printed only if something has moved: who watches the log, the demo
among them, may take a log that stands still for a job that does.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

T = TypeVar("T")

EVERY_S = 15.0


@contextmanager
def stage(name: str, progress: Callable[[], str]) -> Iterator[None]:
    """Print what a stage of a job has done so far, every `EVERY_S` seconds, and how long it took.

    Parameters
    ----------
    name : str
        What the stage does, such as ``merge and clean``.
    progress : callable
        Returns what has been done so far, such as ``45,000 files``. It is called from another thread.
    """
    began, ended, told = time.monotonic(), Event(), progress()

    def tell() -> None:
        nonlocal told
        while not ended.wait(EVERY_S):
            if (now := progress()) != told:
                told = now
                print(f"{name}: {time.monotonic() - began:.0f} s, {now}", flush=True)

    print(f"{name}: begins", flush=True)
    thread = Thread(target=tell, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    print(f"{name}: done in {time.monotonic() - began:.1f} s", flush=True)


def spark_tasks(spark: SparkSession) -> Callable[[], str]:
    """Make a function for `stage` that returns how many tasks of Spark's stages at work are done."""
    tracker = spark.sparkContext.statusTracker()

    def done() -> str:
        stages = [info for each in tracker.getActiveStageIds() if (info := tracker.getStageInfo(each))]
        completed = sum(each.numCompletedTasks for each in stages)
        return f"{completed:,} of {sum(each.numTasks for each in stages):,} Spark tasks"

    return done


class Tally:
    """Counts what passes through it, for `stage`.

    Examples
    --------
    >>> tally = Tally("files")
    >>> list(tally.through("abc")), tally()
    (['a', 'b', 'c'], '3 files')
    """

    def __init__(self, things: str) -> None:
        self._things = things
        self._count = 0

    def through(self, things: Iterable[T]) -> Iterator[T]:
        """Pass things on."""
        for thing in things:
            self._count += 1
            yield thing

    def __call__(self) -> str:
        """Return the count, with its unit."""
        return f"{self._count:,} {self._things}"

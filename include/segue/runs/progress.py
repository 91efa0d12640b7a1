"""Progress of long steps: a line every 15 seconds, and no line for a quick step.

    Merging and cleaning: 3 of 8 Spark tasks, 0:00:15 so far
    Item cosine: 25% after 0:01:00, about 0:03:00 left
    Item cosine: done in 0:03:52

A step prints a line only if it has made progress: more is done, or the job has used CPU time. So a reader of the
log can tell a job that works from one that hangs. The demo reads the log for this, too.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

import psutil

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

EVERY_S = 15.0

BUSY = 0.05
"""A job that uses this share of a core is working. Spark's JVM and driver take 0.7 % of a core when they wait."""

Item = TypeVar("Item")
Say = Callable[[str], None]


class Step:
    """One piece of work.

    Parameters
    ----------
    what : str
        What is being done, such as ``Fitting ALS``.
    detail : callable, optional
        Returns what has been done so far, such as ``45,000 files``. It is called from another thread.

    Attributes
    ----------
    share : float
        Share of the work that is done, 0 to 1. It is 0 if unknown.
    """

    def __init__(self, what: str, detail: Callable[[], str] | None = None) -> None:
        self.what = what
        self.detail = detail
        self.share = 0.0
        self._started = time.monotonic()

    @property
    def elapsed(self) -> timedelta:
        """Time since the start, in whole seconds."""
        return timedelta(seconds=round(time.monotonic() - self._started))

    def line(self) -> str:
        """Return one line: the work, its progress, the time so far, and the time left if it is known."""
        elapsed = self.elapsed
        if self.detail:
            return f"{self.what}: {self.detail()}, {elapsed} so far"
        if not self.share:
            return f"{self.what}: running for {elapsed}"
        left = timedelta(seconds=round(elapsed.total_seconds() * (1 - self.share) / self.share))
        return f"{self.what}: {self.share:.0%} after {elapsed}, about {left} left"

    def done(self) -> object:
        """Return what has been done so far: the detail, or else the share."""
        return self.detail() if self.detail else self.share


class Movement:
    """Distinguish a job that works from one that hangs.

    Parameters
    ----------
    done : callable
        Returns what has been done so far. Any value that changes with the work will do.
    """

    def __init__(self, done: Callable[[], object]) -> None:
        self._look = done
        self._done, self._cpu_s, self._at = done(), cpu_s(), time.monotonic()

    def since_last_look(self) -> bool:
        """Return whether more has been done since the last look, or the job was `BUSY`."""
        before, cpu_before, then = self._done, self._cpu_s, self._at
        self._done, self._cpu_s, self._at = self._look(), cpu_s(), time.monotonic()
        return self._done != before or self._cpu_s - cpu_before >= BUSY * (self._at - then)


def cpu_s() -> float:
    """Return the CPU time of this job in seconds: this process, Spark's JVM, and their children."""
    process = psutil.Process()
    parent = process.parent()
    root = parent if parent and parent.name() == "java" else process  # spark-submit's JVM starts the driver
    total = 0.0
    for each in (root, *root.children(recursive=True)):
        try:
            times = each.cpu_times()
        except psutil.NoSuchProcess:
            continue
        total += times.user + times.system
    return total


def note(line: str) -> None:
    """Print a line to standard error at once. Standard output may be used for results."""
    print(line, file=sys.stderr, flush=True)


def to_output(line: str) -> None:
    """Print a line to standard output at once. Airflow shows what a task prints to standard error as an error."""
    print(line, flush=True)


@contextmanager
def step(what: str, detail: Callable[[], str] | None = None, say: Say = note) -> Iterator[Step]:
    """Print a line every `EVERY_S` seconds while the body runs. After a long step, print that it is done.

    Parameters
    ----------
    what, detail
        As for `Step`.
    say : callable
        Called with each line.

    Yields
    ------
    Step
        If the body sets its `share`, the lines show the time left.
    """
    running, ended = Step(what, detail), Event()
    said = 0

    def show() -> None:
        nonlocal said
        movement = Movement(running.done)
        while not ended.wait(EVERY_S):
            if movement.since_last_look():
                said += 1
                say(running.line())

    thread = Thread(target=show, name="progress", daemon=True)
    thread.start()
    try:
        yield running
    finally:
        ended.set()
        thread.join()
    if said:
        say(f"{what}: done in {running.elapsed}")


def parts(items: Iterable[Item], count: int, what: str) -> Iterator[Item]:
    """Yield `count` items, each about the same amount of work, and print the progress."""
    with step(what) as running:
        for number, item in enumerate(items):
            running.share = number / count
            yield item


def spark_tasks(spark: SparkSession) -> Callable[[], str]:
    """Return a function for a step's `detail`. It returns how many tasks of Spark's active stages are done."""
    tracker = spark.sparkContext.statusTracker()

    def done() -> str:
        stages = [info for each in tracker.getActiveStageIds() if (info := tracker.getStageInfo(each))]
        completed = sum(each.numCompletedTasks for each in stages)
        return f"{completed:,} of {sum(each.numTasks for each in stages):,} Spark tasks"

    return done


class Tally:
    """Count the items that pass through, for a step's `detail`.

    Examples
    --------
    >>> tally = Tally("files")
    >>> list(tally.through("abc")), tally()
    (['a', 'b', 'c'], '3 files')
    """

    def __init__(self, things: str) -> None:
        self._things = things
        self._count = 0

    def through(self, things: Iterable[Item]) -> Iterator[Item]:
        """Yield the items, and count them."""
        for thing in things:
            self._count += 1
            yield thing

    def __call__(self) -> str:
        """Return the count, with its unit."""
        return f"{self._count:,} {self._things}"

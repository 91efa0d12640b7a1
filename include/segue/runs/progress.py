"""Progress of long steps: a line every 15 seconds, and none for a step that is quick.

    Merging and cleaning: 3 of 8 Spark tasks, 0:00:15 so far
    Item cosine: 25% after 0:01:00, about 0:03:00 left
    Item cosine: done in 0:03:52

A step prints a line only if something has moved: more is done, or the job has used CPU time. Whoever watches the
log, the demo among them, can then tell a job that works from one that hangs.
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
        Share done, 0 to 1; 0 where it is not known.
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
        """Return one line: what is done, how far it is, for how long, and the time left where that is known."""
        elapsed = self.elapsed
        if self.detail:
            return f"{self.what}: {self.detail()}, {elapsed} so far"
        if not self.share:
            return f"{self.what}: running for {elapsed}"
        left = timedelta(seconds=round(elapsed.total_seconds() * (1 - self.share) / self.share))
        return f"{self.what}: {self.share:.0%} after {elapsed}, about {left} left"

    def done(self) -> object:
        """Return what has been done so far, as far as it is known."""
        return self.detail() if self.detail else self.share


class Movement:
    """Tells a job that works from one that hangs.

    Parameters
    ----------
    done : callable
        Returns what has been done so far; any value that changes.
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
    """Return the CPU time of this job: of this process, of Spark's JVM, and of their children; in seconds."""
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
    """Print a line to standard error at once, since standard output may carry results."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def step(what: str, detail: Callable[[], str] | None = None, say: Say = note) -> Iterator[Step]:
    """Print a line every `EVERY_S` seconds while the body runs, and after a long one that it is done.

    Parameters
    ----------
    what, detail
        As of `Step`.
    say : callable
        Gets each line.

    Yields
    ------
    Step
        Set its `share` to have the time left printed.
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
    """Pass on `count` parts of about equal work, and print how far it is."""
    with step(what) as running:
        for number, item in enumerate(items):
            running.share = number / count
            yield item


def spark_tasks(spark: SparkSession) -> Callable[[], str]:
    """Return a function for a step's `detail`: how many tasks of Spark's active stages are done."""
    tracker = spark.sparkContext.statusTracker()

    def done() -> str:
        stages = [info for each in tracker.getActiveStageIds() if (info := tracker.getStageInfo(each))]
        completed = sum(each.numCompletedTasks for each in stages)
        return f"{completed:,} of {sum(each.numTasks for each in stages):,} Spark tasks"

    return done


class Tally:
    """Counts what passes through it, for a step's `detail`.

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
        """Pass things on."""
        for thing in things:
            self._count += 1
            yield thing

    def __call__(self) -> str:
        """Return the count, with its unit."""
        return f"{self._count:,} {self._things}"

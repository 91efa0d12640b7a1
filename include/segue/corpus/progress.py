"""Progress lines of a Spark job that takes more than some seconds."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from datetime import timedelta
from threading import Event, Thread

from pyspark import Accumulator, SparkContext

from segue.runs.progress import Movement

EVERY_S = 5.0
"""Seconds between two lines at first."""

EVERY_SHARE = 1 / 15
MAX_EVERY_S = 15.0
"""Seconds between two lines after four minutes. The log of a day then has 6,000 lines, not 17,000."""


@dataclass(frozen=True)
class Counters:
    """What the workers have done so far. A task that runs again counts twice, so the numbers are not exact.

    `again` counts the files of such tasks. `working_ns` adds up the time that the workers spend with files.
    """

    tracks: Accumulator[int]
    rejected: Accumulator[int]
    size_bytes: Accumulator[int]
    again: Accumulator[int]
    working_ns: Accumulator[int]

    @classmethod
    def start(cls, context: SparkContext) -> Counters:
        """Create counters that the tasks of this application can add to."""
        return cls(*(context.accumulator(0) for _ in fields(cls)))


@dataclass(frozen=True)
class Progress:
    """The progress of the work.

    Attributes
    ----------
    counters : Counters
    tracks, size_bytes : int
        Number and size of all files of the work.
    started : float
        Clock of `time.monotonic`, seconds.
    """

    counters: Counters
    tracks: int
    size_bytes: int
    started: float = field(default_factory=time.monotonic)

    def line(self) -> str:
        """Return one line: files done and in total, rates, rejected files, and the time left (by bytes)."""
        seconds = max(time.monotonic() - self.started, 1e-9)
        done, done_bytes = min(self.counters.tracks.value, self.tracks), self.counters.size_bytes.value
        if not done:
            return f"progress: 0/{self.tracks:,} tracks, workers are starting"
        left_s = seconds * max(self.size_bytes - done_bytes, 0) / max(done_bytes, 1)
        return (
            f"progress: {done:,}/{self.tracks:,} tracks ({done / self.tracks:.0%}), "
            f"{done / seconds:.1f} tracks/s, {done_bytes / seconds / 1e6:.1f} MB/s, "
            f"{self.counters.rejected.value:,} rejected, time left {timedelta(seconds=round(left_s))}"
        )

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Print a line every few seconds while the body runs, and one at its end."""
        with shown(self.line, self._done, self.started):
            yield

    def _done(self) -> tuple[int, int]:
        return self.counters.tracks.value, self.counters.size_bytes.value


@contextmanager
def shown(line: Callable[[], str], done: Callable[[], object], started: float) -> Iterator[None]:
    """Print a line every few seconds while the body makes progress, and a last line at its end.

    Parameters
    ----------
    line : callable
        Returns the line.
    done : callable
        As for `segue.runs.progress.Movement`.
    started : float
        Clock of `time.monotonic` when the work began, seconds.
    """
    ended = Event()

    def show() -> None:
        movement = Movement(done)
        while not ended.wait(pause_s(time.monotonic() - started)):
            if movement.since_last_look():
                print(line(), flush=True)

    thread = Thread(target=show, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
        print(line(), flush=True)


def pause_s(elapsed_s: float) -> float:
    """Return how long to wait for the next line.

    Parameters
    ----------
    elapsed_s : float
        Seconds since the work began.

    Returns
    -------
    float
        Seconds, from `EVERY_S` to `MAX_EVERY_S`.
    """
    return min(max(EVERY_S, EVERY_SHARE * elapsed_s), MAX_EVERY_S)

"""Progress lines of a Spark job that goes through audio files."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from threading import Event, Thread

from pyspark import Accumulator, SparkContext

EVERY_S = 5.0


@dataclass(frozen=True)
class Counters:
    """What the workers have done so far. A task that runs again counts again: good for progress, not for sums."""

    tracks: Accumulator[int]
    rejected: Accumulator[int]
    size_bytes: Accumulator[int]

    @classmethod
    def start(cls, context: SparkContext) -> Counters:
        """Make counters that the tasks of this application can add to."""
        return cls(context.accumulator(0), context.accumulator(0), context.accumulator(0))


@dataclass(frozen=True)
class Progress:
    """Says how far the work is.

    Attributes
    ----------
    counters : Counters
    tracks, size_bytes : int
        All there is to do.
    started : float
        Clock of `time.monotonic`, seconds.
    """

    counters: Counters
    tracks: int
    size_bytes: int
    started: float = field(default_factory=time.monotonic)

    def line(self) -> str:
        """Make one line: done of total, rates, rejected, time to go (by bytes).

        Returns
        -------
        str
        """
        seconds = max(time.monotonic() - self.started, 1e-9)
        done, done_bytes = min(self.counters.tracks.value, self.tracks), self.counters.size_bytes.value
        left_s = seconds * (self.size_bytes - done_bytes) / done_bytes if done_bytes else None
        left = "unknown" if left_s is None else timedelta(seconds=round(max(left_s, 0)))
        return (
            f"progress: {done:,}/{self.tracks:,} tracks ({done / max(self.tracks, 1):.0%}), "
            f"{done / seconds:.1f} tracks/s, {done_bytes / seconds / 1e6:.1f} MB/s, "
            f"{self.counters.rejected.value:,} rejected, time left {left}"
        )

    @contextmanager
    def shown(self) -> Iterator[None]:
        """Print a line every few seconds while the body runs, and one at its end."""
        done = Event()

        def show() -> None:
            while not done.wait(EVERY_S):
                print(self.line(), flush=True)

        thread = Thread(target=show, daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()
            print(self.line(), flush=True)

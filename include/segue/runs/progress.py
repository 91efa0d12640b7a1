"""Progress of long calculations: a line every 15 seconds, none for what is quick."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from threading import Event, Thread
from typing import TypeVar

EVERY_S = 15.0

Part = TypeVar("Part")


class Step:
    """One piece of work; its thread prints how far it is.

    Parameters
    ----------
    what : str
        What is being done, such as ``Fitting ALS``.
    """

    def __init__(self, what: str) -> None:
        self.what = what
        self.share = 0.0
        self._started = time.monotonic()

    def line(self) -> str:
        """Write one line: what, how long, and where the share done is known, how much and the time left."""
        seconds = time.monotonic() - self._started
        since = timedelta(seconds=round(seconds))
        if not self.share:
            return f"{self.what}: running for {since}"
        left = timedelta(seconds=round(seconds * (1 - self.share) / self.share))
        return f"{self.what}: {self.share:.0%} after {since}, about {left} left"


@contextmanager
def step(what: str) -> Iterator[Step]:
    """Print a line every `EVERY_S` seconds while the body runs.

    Yields
    ------
    Step
        Set its `share` (0 to 1) to have the time left printed.
    """
    running, done = Step(what), Event()

    def show() -> None:
        while not done.wait(EVERY_S):
            print(running.line(), file=sys.stderr, flush=True)

    thread = Thread(target=show, name="progress", daemon=True)
    thread.start()
    try:
        yield running
    finally:
        done.set()
        thread.join()


def parts(items: Iterable[Part], count: int, what: str) -> Iterator[Part]:
    """Go through `count` parts of about equal work, and print how far it is."""
    with step(what) as running:
        for number, item in enumerate(items):
            running.share = number / count
            yield item

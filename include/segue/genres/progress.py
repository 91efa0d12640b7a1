"""Lines that show that a long step of a training goes on."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY_S = 15.0

Say = Callable[[str], None]


@contextmanager
def doing(step: str | Callable[[], str], say: Say = print, *, every_s: float = EVERY_S) -> Iterator[None]:
    """Print every 15 s what is being done, and for how long already, while the body runs.

    A step that is shorter than `every_s` prints nothing.

    Parameters
    ----------
    step : str or callable
        What the body does, such as "Fitting the best choice on 85,259 tracks", or a function that returns it.
    say : callable
        Gets each line.
    every_s : float
        Seconds between two lines.

    Examples
    --------
    >>> with doing("Resting", every_s=0.2):
    ...     time.sleep(0.3)
    Resting: 0 s so far.
    """
    ended, began = threading.Event(), time.monotonic()

    def repeat() -> None:
        while not ended.wait(every_s):
            what = step if isinstance(step, str) else step()
            say(f"{what}: {time.monotonic() - began:.0f} s so far.")

    thread = threading.Thread(target=repeat, name="segue-progress", daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()

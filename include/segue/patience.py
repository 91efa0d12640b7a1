"""End a wait when the work makes no more progress, however long it takes in total; tell of a wait now and then."""

from __future__ import annotations

import time
from collections.abc import Callable


class Patience:
    """Measure for how long the work has made no progress.

    Parameters
    ----------
    still_s : float
        Seconds without progress after which the wait is over.
    clock : callable, optional
        Returns the current time in seconds.

    Examples
    --------
    >>> seconds = iter([0, 50, 100, 170])
    >>> patience = Patience(60, clock=lambda: next(seconds))
    >>> [patience.is_over(state) for state in ("queued", "running", "running")]
    [False, False, True]
    """

    def __init__(self, still_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self.still_s = still_s
        self._clock = clock
        self._moved = clock()
        self._seen: object = None

    def is_over(self, seen: object) -> bool:
        """Compare the state of the work with the previous one.

        Parameters
        ----------
        seen : object
            States, sizes, lines or anything else that changes while the work continues. A value that differs from
            the previous one is progress.

        Returns
        -------
        bool
            Whether there has been no progress for longer than `still_s`.
        """
        now = self._clock()
        if seen != self._seen:
            self._seen, self._moved = seen, now
        return now - self._moved > self.still_s


class Pace:
    """Tell when the next line of progress is due.

    Parameters
    ----------
    every_s : float
        Seconds between two lines.
    clock : callable, optional
        Returns the current time in seconds.

    Examples
    --------
    >>> seconds = iter([0, 9, 10, 12, 21])
    >>> pace = Pace(10, clock=lambda: next(seconds))
    >>> [pace.is_due() for _ in range(4)]
    [False, True, False, True]
    """

    def __init__(self, every_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._every_s = every_s
        self._clock = clock
        self._last = clock()

    def is_due(self) -> bool:
        """Return whether a line is due. The time until the next line then begins."""
        now = self._clock()
        if now - self._last < self._every_s:
            return False
        self._last = now
        return True

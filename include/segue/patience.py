"""End a wait when nothing moves any more, whatever the total duration of the work."""

from __future__ import annotations

import time
from collections.abc import Callable


class Patience:
    """Measures for how long nothing has moved.

    Parameters
    ----------
    still_s : float
        Seconds without a movement after which the wait is over.
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
        """Compare the state of the work with the one seen before.

        Parameters
        ----------
        seen : object
            States, sizes, lines or anything else that changes while work goes on. A value that differs from the
            one before is a movement.

        Returns
        -------
        bool
            Whether nothing has moved for longer than `still_s`.
        """
        now = self._clock()
        if seen != self._seen:
            self._seen, self._moved = seen, now
        return now - self._moved > self.still_s

"""End a wait when nothing moves any more, however long the work takes."""

from __future__ import annotations

import time
from collections.abc import Callable


class Patience:
    """Measures for how long nothing has moved.

    Parameters
    ----------
    still_s : float
        After so many seconds without a movement the wait is over.
    clock : callable, optional
        Returns seconds.

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
        """Look at the work once more.

        Parameters
        ----------
        seen : object
            What moves: states, sizes, lines. A value that differs from the one before is a movement.

        Returns
        -------
        bool
            Whether nothing has moved for longer than `still_s`.
        """
        now = self._clock()
        if seen != self._seen:
            self._seen, self._moved = seen, now
        return now - self._moved > self.still_s

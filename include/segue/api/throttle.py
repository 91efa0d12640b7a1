"""Throttle submissions: requests that come too fast are delayed, and refused only if the delay is too long.

Players discard listens that are answered with 429. They wait for a slow response, and keep listens that are
answered with 503.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

MAX_WAIT_S = 4.0
"""Longest delay of a request. Players give up after ten seconds or more."""


@dataclass(frozen=True, slots=True)
class Slot:
    """When a request may continue.

    Parameters
    ----------
    allowed
        Whether it may continue at all.
    wait_s
        Seconds until the request may continue. If it is not allowed: seconds until it may be sent again.
    remaining
        Number of requests that the user can send now without a delay.
    reset_s
        Seconds until the user can send a whole burst without a delay.
    """

    allowed: bool
    wait_s: float
    remaining: int
    reset_s: int


class Throttle:
    """Let a burst of requests of each user pass at once, and later requests at the average rate.

    This is the generic cell rate algorithm. It stores one number for each user: the time at which all requests so
    far would have been served at the average rate.

    Parameters
    ----------
    requests
        Size of the burst.
    window_s
        Seconds in which this number of requests is allowed.
    """

    def __init__(self, requests: int, window_s: float) -> None:
        self.requests = requests
        self._window_s = window_s
        self._interval_s = window_s / requests
        self._served_at: dict[str, float] = {}

    def take(self, user_name: str) -> Slot:
        """Take the next slot of a user, unless it is too far ahead."""
        now = time.monotonic()
        if len(self._served_at) > 10_000:
            self._served_at = {name: at for name, at in self._served_at.items() if at > now}
        served_at = max(now, self._served_at.get(user_name, now)) + self._interval_s
        wait_s = max(0.0, served_at - now - self._window_s)
        allowed = wait_s <= MAX_WAIT_S
        if allowed:
            self._served_at[user_name] = served_at
        else:
            served_at -= self._interval_s
        left_s = max(0.0, self._window_s - (served_at - now))
        return Slot(allowed, wait_s, int(left_s / self._interval_s + 1e-6), math.ceil(served_at - now))

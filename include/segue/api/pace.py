"""How fast a user may submit: too fast is slowed down first, and only refused where that would take too long.

Players throw away what is answered with 429. They wait for a slow answer, and keep what is answered with 503.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass

MAX_WAIT_S = 4.0
"""Longest time that a request is held back; players give up after ten seconds and more."""


@dataclass(frozen=True, slots=True)
class Turn:
    """When a request may go on.

    Parameters
    ----------
    allowed
        Whether it may at all.
    wait_s
        How long until then; if it is not allowed, when it may be sent again.
    remaining
        Requests that the user may send now without waiting.
    reset_s
        When they may send as many as ever without waiting.
    """

    allowed: bool
    wait_s: float
    remaining: int
    reset_s: int


class Pace:
    """A burst of requests of each user goes through at once; those after it have the average rate.

    This is the generic cell rate algorithm: one number a user, the time at which all of their requests would have
    been served at the average rate.

    Parameters
    ----------
    requests, window_s
        So many requests in so many seconds, also at once.
    """

    def __init__(self, requests: int, window_s: float) -> None:
        self.requests = requests
        self._window_s = window_s
        self._interval_s = window_s / requests
        self._served_at: dict[str, float] = {}

    def take(self, user_name: str) -> Turn:
        """Take the next turn, unless it is too far away."""
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
        return Turn(allowed, wait_s, int(left_s / self._interval_s + 1e-6), math.ceil(served_at - now))

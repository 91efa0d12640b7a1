"""Limits of the number of requests of a user or an address, with ListenBrainz's headers."""

from __future__ import annotations

import time

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

WINDOW_S = 10


class RateLimits:
    """Count requests in fixed windows of `WINDOW_S` seconds, in memory.

    Parameters
    ----------
    requests
        Number of requests that one user may send in a window.
    anonymous_requests
        Number of requests without a valid token that one address may send in a window.
    """

    def __init__(self, requests: int, anonymous_requests: int) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._user = RateLimitItemPerSecond(requests, WINDOW_S, namespace="user")
        self._address = RateLimitItemPerSecond(anonymous_requests, WINDOW_S, namespace="address")

    def user(self, user_name: str) -> tuple[bool, dict[str, str]]:
        """Count a request of a user, and return whether it is allowed, with the rate-limit headers."""
        return self._hit(self._user, user_name)

    def address(self, address: str) -> tuple[bool, dict[str, str]]:
        """Count a request without a valid token, and return the same as `user`."""
        return self._hit(self._address, address)

    def may_ask(self, address: str) -> bool:
        """Return whether an address may send another request without a valid token, without counting one."""
        return self._limiter.test(self._address, address)

    def _hit(self, limit: RateLimitItemPerSecond, key: str) -> tuple[bool, dict[str, str]]:
        allowed = self._limiter.hit(limit, key)
        window = self._limiter.get_window_stats(limit, key)
        reset_in = max(0, round(window.reset_time - time.time()))
        return allowed, {
            "X-RateLimit-Limit": str(limit.amount),
            "X-RateLimit-Remaining": str(window.remaining),
            "X-RateLimit-Reset-In": str(reset_in),
            "X-RateLimit-Reset": str(int(window.reset_time)),
        }

"""How many requests a user or an address may send, told in ListenBrainz's headers."""

from __future__ import annotations

import time

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

WINDOW_S = 10


class RateLimits:
    """A fixed window for each user and for each address, in memory.

    Parameters
    ----------
    requests
        That one user may send in a window.
    anonymous_requests
        That one address may send in a window without a valid token.
    """

    def __init__(self, requests: int, anonymous_requests: int) -> None:
        self._limiter = FixedWindowRateLimiter(MemoryStorage())
        self._user = RateLimitItemPerSecond(requests, WINDOW_S, namespace="user")
        self._address = RateLimitItemPerSecond(anonymous_requests, WINDOW_S, namespace="address")

    def user(self, user_name: str) -> tuple[bool, dict[str, str]]:
        """Count a request of a user; tell whether it is allowed, and the headers that say what is left."""
        return self._hit(self._user, user_name)

    def address(self, address: str) -> tuple[bool, dict[str, str]]:
        """Count a request without a valid token, by where it comes from."""
        return self._hit(self._address, address)

    def may_ask(self, address: str) -> bool:
        """Tell whether an address may still send requests without a valid token; count nothing."""
        return self._limiter.test(self._address, address)

    def _hit(self, limit: RateLimitItemPerSecond, who: str) -> tuple[bool, dict[str, str]]:
        allowed = self._limiter.hit(limit, who)
        window = self._limiter.get_window_stats(limit, who)
        reset_in = max(0, round(window.reset_time - time.time()))
        return allowed, {
            "X-RateLimit-Limit": str(limit.amount),
            "X-RateLimit-Remaining": str(window.remaining),
            "X-RateLimit-Reset-In": str(reset_in),
            "X-RateLimit-Reset": str(int(window.reset_time)),
        }

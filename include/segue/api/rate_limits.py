"""Limits of the number of requests of a user or an address, with ListenBrainz's headers.

The routes that check a token count their requests. A middleware counts all others against the limit of their
address: pages, the documentation, and paths that do not exist.
"""

from __future__ import annotations

import time
from collections.abc import Iterable

from limits import RateLimitItemPerSecond
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segue.api.errors import TOO_MANY, error_response

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


class CountTheRest:
    """ASGI middleware that counts the requests that no route has counted.

    It does not count failures of the server, because a player that has to send its listens again must not get 429
    for that. It does not count the paths of `uncounted` either.

    Parameters
    ----------
    app
        The application.
    uncounted
        Paths that the operator's programs request regularly.
    """

    def __init__(self, app: ASGIApp, uncounted: Iterable[str]) -> None:
        self._app = app
        self._uncounted = frozenset(uncounted)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] == "OPTIONS" or scope["path"] in self._uncounted:
            await self._app(scope, receive, send)
            return
        state, refused = scope["state"], False

        async def counting_send(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start" and "headers" not in state and message["status"] < 500:
                limits: RateLimits = scope["app"].state.context.rate_limits
                allowed, state["headers"] = limits.address((scope["client"] or [""])[0])
                if not allowed:
                    refused = True
                    await error_response(429, TOO_MANY)(scope, receive, send)
            if not refused:
                await send(message)

        await self._app(scope, receive, counting_send)

"""Limits of the number of requests of a user or an address, with ListenBrainz's headers.

The routes that check a token count their requests. A middleware counts all others against the limit of their
address: pages, the documentation, and paths that do not exist.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterable
from dataclasses import dataclass, field

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segue.api.errors import TOO_MANY, error_response

WINDOW_S = 10

MANY_WINDOWS = 10_000
"""With this many windows in memory, those that have ended are removed."""


class RateLimits:
    """Count requests in windows of `WINDOW_S` seconds, in memory. A window begins with its first request.

    The clock of the windows is monotonic: setting the system's clock neither ends nor prolongs a window.

    Parameters
    ----------
    requests
        Number of requests that one user may send in a window.
    anonymous_requests
        Number of requests without a valid token that one address may send in a window.
    """

    def __init__(self, requests: int, anonymous_requests: int) -> None:
        self._requests = requests
        self._anonymous_requests = anonymous_requests
        self._users: dict[str, _Window] = {}
        self._addresses: dict[str, _Window] = {}

    def user(self, user_name: str) -> tuple[bool, dict[str, str]]:
        """Count a request of a user, and return whether it is allowed, with the rate-limit headers."""
        return _hit(self._users, user_name, self._requests)

    def address(self, address: str) -> tuple[bool, dict[str, str]]:
        """Count a request without a valid token, and return the same as `user`."""
        return _hit(self._addresses, address, self._anonymous_requests)

    def may_ask(self, address: str) -> bool:
        """Return whether an address may send another request without a valid token, without counting one."""
        window = self._addresses.get(address)
        return window is None or window.left_s <= 0 or window.count < self._anonymous_requests


@dataclass(slots=True)
class _Window:
    began: float = field(default_factory=lambda: time.monotonic())
    count: int = 0

    @property
    def left_s(self) -> float:
        return self.began + WINDOW_S - time.monotonic()


def _hit(windows: dict[str, _Window], key: str, limit: int) -> tuple[bool, dict[str, str]]:
    window = windows.get(key)
    if window is None or window.left_s <= 0:
        if len(windows) >= MANY_WINDOWS:
            for old in [each for each, found in windows.items() if found.left_s <= 0]:
                del windows[old]
        window = windows[key] = _Window()
    window.count += 1
    reset_in = math.ceil(max(0.0, window.left_s))
    return window.count <= limit, {
        "X-RateLimit-Limit": str(limit),
        "X-RateLimit-Remaining": str(max(0, limit - window.count)),
        "X-RateLimit-Reset-In": str(reset_in),
        "X-RateLimit-Reset": str(int(time.time()) + reset_in),
    }


class CountTheRest:
    """ASGI middleware that counts the requests that no route has counted.

    It does not count failures of the server. After a failure, a player must send its listens again, and must not
    get 429 for that. It does not count the paths of `uncounted` either.

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

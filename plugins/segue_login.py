"""Failed logins to Airflow are throttled, so that nobody can try one password after another."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow.plugins_manager import AirflowPlugin

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOGINS = ("/auth/token", "/auth/token/cli")
FAILURES = 10
"""Failed logins of one address within `WINDOW_S`, after which its logins are refused."""
WINDOW_S = 60.0
MANY_ADDRESSES = 1000
"""With this many addresses in memory, those whose window has ended are removed."""


@dataclass(slots=True)
class _Window:
    ends: float
    failures: int = 0


class LoginThrottle:
    """ASGI middleware that refuses logins of an address, with 429, after too many failed ones.

    - A window begins with the first login of an address, and lasts `WINDOW_S` seconds.
    - A login counts as failed until it is answered, so that many at once are not all let through.
    - Whoever is logged in already is not affected.

    Parameters
    ----------
    app
        Airflow's API server.
    clock : callable, optional
        Returns the current time in seconds.
    """

    def __init__(self, app: ASGIApp, clock: Callable[[], float] = time.monotonic) -> None:
        self._app = app
        self._clock = clock
        self._windows: dict[str, _Window] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["method"] != "POST" or not scope["path"].endswith(LOGINS):
            await self._app(scope, receive, send)
            return
        window = self._window((scope["client"] or [""])[0])
        if window.failures >= FAILURES:
            await _refusal(window.ends - self._clock())(scope, receive, send)
            return
        window.failures += 1

        async def watching_send(message: Message) -> None:
            if message["type"] == "http.response.start" and message["status"] != 401:
                window.failures -= 1
            await send(message)

        await self._app(scope, receive, watching_send)

    def _window(self, address: str) -> _Window:
        now = self._clock()
        if len(self._windows) >= MANY_ADDRESSES:
            self._windows = {each: window for each, window in self._windows.items() if window.ends > now}
        window = self._windows.get(address)
        if window is None or window.ends <= now:
            window = self._windows[address] = _Window(now + WINDOW_S)
        return window


def _refusal(left_s: float) -> ASGIApp:
    from starlette.responses import JSONResponse

    wait_s = max(1, math.ceil(left_s))
    said = f"Too many failed logins. Try again in {wait_s} seconds."
    return JSONResponse({"detail": said}, 429, {"Retry-After": str(wait_s)})


class SegueLogin(AirflowPlugin):
    """Put the throttle before Airflow's API server."""

    name = "segue_login"
    fastapi_root_middlewares = [  # noqa: RUF012 - as Airflow declares it
        {"name": "segue_login", "middleware": LoginThrottle, "args": [], "kwargs": {}}
    ]

"""What surrounds every request: the access log, the metrics, and the rate-limit headers of the response.

The access log is written to standard output, one JSON object per line. It contains neither tokens nor query
strings, because ListenBrainz's validate-token accepts a token in the query.
"""

from __future__ import annotations

import json
import logging
import sys
import time
from datetime import UTC, datetime

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segue.api import metrics

access_log = logging.getLogger("segue.access")


def log_to_stdout() -> None:
    """Write the access log to standard output, one JSON object per line."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging.Formatter("%(message)s"))
    access_log.handlers = [handler]
    access_log.setLevel(logging.INFO)
    access_log.propagate = False


class RequestObserver:
    """ASGI middleware. It is the outermost one, so it sees the response that the client gets.

    Parameters
    ----------
    app
        The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        state = scope.setdefault("state", {})
        began, status = time.perf_counter(), 500

        async def observed_send(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                extra = [(k.lower().encode(), v.encode()) for k, v in state.get("headers", {}).items()]
                message["headers"] = [*message["headers"], *extra]
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        finally:
            seconds = time.perf_counter() - began
            route = getattr(scope.get("route"), "path", "none")
            metrics.REQUESTS.labels(scope["method"], route, status).inc()
            metrics.SECONDS.labels(route).observe(seconds)
            if access_log.isEnabledFor(logging.INFO):
                access_log.info(_line(scope, status, seconds))


def _line(scope: Scope, status: int, seconds: float) -> str:
    return json.dumps(
        {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "client": (scope.get("client") or [None])[0],
            "user": scope["state"].get("user"),
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "ms": round(seconds * 1000, 1),
            "listens": scope["state"].get("listens"),
        }
    )

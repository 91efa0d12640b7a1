"""What surrounds every request: the access log, the metrics, and the rate-limit headers of the response.

The access log has one JSON object per line. It contains neither tokens nor query strings, because ListenBrainz's
validate-token accepts a token in the query.
"""

from __future__ import annotations

import json
import logging
import os
import time
from datetime import UTC, datetime
from logging.handlers import RotatingFileHandler
from pathlib import Path

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segue.api import metrics

access_log = logging.getLogger("segue.access")


LOGGED_PATH_CHARACTERS = 200
"""Longest part of a path that is logged. All routes are shorter."""


class _RotatingOutput(RotatingFileHandler):
    """Writes to the file of this process' output. When it rotates, the output moves to the new file, too."""

    def doRollover(self) -> None:  # noqa: N802 - the name in the library
        """Begin a new file."""
        super().doRollover()
        if self.stream is not None:
            for descriptor in (1, 2):
                os.dup2(self.stream.fileno(), descriptor)


def rotating_output(log: Path, limit_bytes: int) -> logging.Handler:
    """Return a handler that writes to a file which is also standard output and standard error of this process.

    At the limit, the file is renamed to ``….old.log``, and a new file takes its place. From then on, everything
    that the process prints goes to the new file.
    """
    handler = _RotatingOutput(log, maxBytes=limit_bytes, backupCount=1, encoding="utf-8")
    handler.namer = lambda _: str(log.with_suffix(".old.log"))
    return handler


def write_access_log(handler: logging.Handler) -> None:
    """Write the access log, one JSON object per line."""
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
                extra = {k.lower().encode(): v.encode() for k, v in state.get("headers", {}).items()}
                kept = [header for header in message["headers"] if header[0].lower() not in extra]
                message["headers"] = [*kept, *extra.items()]
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
            "path": scope["path"][:LOGGED_PATH_CHARACTERS],
            "status": status,
            "ms": round(seconds * 1000, 1),
            "listens": scope["state"].get("listens"),
        }
    )

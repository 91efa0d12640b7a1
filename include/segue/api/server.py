"""The HTTP server of the API: Uvicorn with Segue's limits."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import uvicorn

from segue.api.http_protocol import PlayerHttpProtocol
from segue.settings import Settings

IDLE_S = 30
DRAIN_S = 15


def config(app: Callable[..., Any], settings: Settings) -> uvicorn.Config:
    """Return the configuration of the server.

    Parameters
    ----------
    app
        The application.
    settings
        Address, port and proxies.
    """
    return uvicorn.Config(
        app,
        host=settings.api_host,
        port=settings.api_port,
        http=PlayerHttpProtocol,
        ws="none",  # a WebSocket would bypass the limits of the HTTP protocol
        access_log=False,
        proxy_headers=bool(settings.api_proxies),
        forwarded_allow_ips=settings.api_proxies,
        timeout_keep_alive=IDLE_S,
        timeout_graceful_shutdown=DRAIN_S,
        server_header=False,
    )

"""``segue serve``: run the listens API."""

from __future__ import annotations

import logging
import os
import resource
import sys
from pathlib import Path

from segue.settings import get_settings


def serve() -> None:
    """Run the listens API until Ctrl-C.

    Any player that supports a custom ListenBrainz server works with it. Enter the address of this API and a token
    of `segue users add NAME` in the player.
    """
    import uvicorn

    from segue.api import server
    from segue.api.app import create_app
    from segue.api.connection_limits import CONNECTIONS
    from segue.api.observability import write_access_log
    from segue.stack import listens_api, memory

    settings = get_settings()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("segue").setLevel(logging.INFO)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # Segue logs each error once
    write_access_log(_output(listens_api.service(settings).log))
    _allow_files(2 * CONNECTIONS)
    app = create_app(settings, memory=lambda: memory.usage(settings))
    running = uvicorn.Server(server.config(app, settings))
    running.run()
    if not running.started:
        sys.exit(1)


def _output(log: Path) -> logging.Handler:
    """Return a handler for standard output. It rotates if standard output is the log of the stack's service."""
    from segue.api.observability import rotating_output
    from segue.stack.service import LOG_LIMIT_BYTES

    if log.exists() and os.path.samestat(log.stat(), os.fstat(sys.stdout.fileno())):
        return rotating_output(log, LOG_LIMIT_BYTES)
    return logging.StreamHandler(sys.stdout)


def _allow_files(count: int) -> None:
    """Let this process open `count` files. Many systems allow 1,024 unless a process asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = count if hard == resource.RLIM_INFINITY else min(count, hard)
    if soft != resource.RLIM_INFINITY and soft < allowed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))

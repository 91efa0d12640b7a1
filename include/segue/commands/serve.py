"""``segue serve``: the listens API."""

from __future__ import annotations

import logging

from segue.settings import get_settings

IDLE_S = 30
CONNECTIONS = 2_000
DRAIN_S = 15


def serve() -> None:
    """Serve the listens API, until Ctrl-C.

    Any player that can scrobble to a ListenBrainz server of your own works with it: give the player this address
    and a token of `segue users add NAME`.
    """
    import uvicorn

    from segue.api.app import create_app
    from segue.api.http_protocol import PlayerHttpProtocol
    from segue.api.observability import log_to_stdout
    from segue.stack import memory

    settings = get_settings()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("segue").setLevel(logging.INFO)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # Segue tells what went wrong, once
    log_to_stdout()
    uvicorn.run(
        create_app(settings, memory=lambda: memory.usage(settings)),
        host=settings.api_host,
        port=settings.api_port,
        http=PlayerHttpProtocol,
        access_log=False,
        timeout_keep_alive=IDLE_S,
        limit_concurrency=CONNECTIONS,
        timeout_graceful_shutdown=DRAIN_S,
        server_header=False,
    )

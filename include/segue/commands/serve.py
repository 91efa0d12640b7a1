"""``segue serve``: run the listens API."""

from __future__ import annotations

import logging

from segue.settings import get_settings

IDLE_S = 30
CONNECTIONS = 2_000
DRAIN_S = 15


def serve() -> None:
    """Run the listens API until Ctrl-C.

    Any player that supports a custom ListenBrainz server works with it. Enter the address of this API and a token
    of `segue users add NAME` in the player.
    """
    import uvicorn

    from segue.api.app import create_app
    from segue.api.http_protocol import PlayerHttpProtocol
    from segue.api.observability import log_to_stdout
    from segue.stack import memory

    settings = get_settings()
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    logging.getLogger("segue").setLevel(logging.INFO)
    logging.getLogger("kafka").setLevel(logging.CRITICAL)  # Segue logs each error once
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

"""A web server and a mail server that receive alerts."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message
from pydantic_core import from_json

from segue.stack import ports


class Webhook:
    """Receives the alerts of a ``json://`` address. It refuses those whose title contains `refused`."""

    def __init__(self) -> None:
        self.received: list[dict[str, Any]] = []
        self.refused: str | None = None

    @property
    def titles(self) -> list[str]:
        return [each["title"] for each in self.received]

    @contextmanager
    def listening(self, port: int) -> Iterator[None]:
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                alert = from_json(self.rfile.read(int(self.headers["Content-Length"])))
                refused = outer.refused is not None and outer.refused in alert["title"]
                if not refused:
                    outer.received.append(alert)
                self.send_response(500 if refused else 200)
                self.end_headers()

            def log_message(self, *_: object) -> None:
                """Print nothing."""

        server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield
        finally:
            server.shutdown()
            thread.join()
            server.server_close()


@contextmanager
def mail_server() -> Iterator[tuple[int, list[Any]]]:
    """Yield its port and the mails that it has received."""
    mails: list[Any] = []

    class Keep(Message):
        def handle_message(self, message: Any) -> None:
            mails.append(message)

    [port] = ports.find_free(1)
    controller = Controller(Keep(), hostname="127.0.0.1", port=port)
    controller.start()
    try:
        yield port, mails
    finally:
        controller.stop()

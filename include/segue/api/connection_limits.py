"""Uvicorn's HTTP protocol with limits of connections, so that no client can keep the others out.

Uvicorn limits the time between two requests of a connection. It does not limit the time and the size of the head
of a request, or how slowly a client may read (https://github.com/encode/uvicorn/issues/157).
"""

from __future__ import annotations

import json
from asyncio import AbstractEventLoop, TimerHandle, Transport
from collections import Counter
from http import HTTPStatus
from typing import Any, Final
from weakref import WeakKeyDictionary

from uvicorn.config import Config
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
from uvicorn.server import ServerState

from segue.listens import limits

CONNECTIONS = 2_000
"""Largest number of connections."""

CONNECTIONS_OF_ADDRESS = 250
"""Largest number of connections of one address that is not a proxy."""

HEAD_S = 10.0
"""How long a client may take to send the head of a request."""

MAX_HEAD_BYTES = 65_536
"""Largest size of a head. Uvicorn's other HTTP protocol, h11, has the same limit."""

MAX_PIPELINED = 32
"""How many requests a client may send before the response to the first."""

WRITE_S = 30.0
"""How long a client may take to read what is waiting to be sent."""

LINGER_S = 2.0
"""How long a refused connection stays open, so that the client can read the response."""

RETRY_AFTER_S: Final = 5


class _Open:
    """The connections of one server. Those that have waited longest for a request come first."""

    def __init__(self, config: Config) -> None:
        self.connections: dict[LimitedHttpProtocol, None] = {}
        self.by_address: Counter[str] = Counter()
        proxies = config.forwarded_allow_ips if config.proxy_headers else None
        self.proxies = ProxyHeadersMiddleware(config.loaded_app, proxies or "").trusted_hosts


_of_server: WeakKeyDictionary[ServerState, _Open] = WeakKeyDictionary()


class LimitedHttpProtocol(HttpToolsProtocol):
    """Uvicorn's HTTP protocol with limits.

    - At the limit of connections, a new connection replaces the one that has waited longest for a request. If all
      have a request in progress, the new connection is refused.
    - A connection ends if the head of a request takes too long or is too large, or if the client does not read.
    - Refusals are JSON objects with ``code`` and ``error``, like all errors of the API.
    """

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        if server_state not in _of_server:
            _of_server[server_state] = _Open(config)
        self._open = _of_server[server_state]
        self._address = ""
        self._refused = False
        self._unparsed_bytes = 0
        self._head_timer: TimerHandle | None = None
        self._write_timer: TimerHandle | None = None

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Accept or refuse a connection."""
        super().connection_made(transport)
        self._address = self.client[0] if self.client else ""
        if self._has_room():
            self._open.connections[self] = None
            self._open.by_address[self._address] += 1
            self._limit_head()
        else:
            self._refuse(HTTPStatus.SERVICE_UNAVAILABLE, "This server has too many connections.")

    def connection_lost(self, exc: Exception | None) -> None:
        """Forget a connection that has ended."""
        self._forget()
        for timer in (self._head_timer, self._write_timer):
            if timer is not None:
                timer.cancel()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive data, within the limits of a head."""
        if self._refused:
            return
        if self._head_timer is None and self._waits:
            self._limit_head()
        self._unparsed_bytes += len(data)
        super().data_received(data)
        if self._unparsed_bytes > MAX_HEAD_BYTES:
            self._refuse(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                f"The address and the headers of a request cannot exceed {MAX_HEAD_BYTES} bytes.",
            )

    def on_message_begin(self) -> None:
        """Begin a request."""
        if len(self.pipeline) >= MAX_PIPELINED:
            raise ValueError("too many requests at once")  # httptools makes it a parser error
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        """End the head of a request."""
        self._unparsed_bytes = 0
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Receive a part of a body."""
        self._unparsed_bytes = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        """End a request."""
        self._unparsed_bytes = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        """End a response. The connection becomes the last of those that wait for a request."""
        if self in self._open.connections:
            del self._open.connections[self]
            self._open.connections[self] = None
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Limit how long the client may take to read what is waiting."""
        super().pause_writing()
        self._write_timer = self.loop.call_later(WRITE_S, self.transport.abort)

    def resume_writing(self) -> None:
        """Lift the limit: the client has read."""
        if self._write_timer is not None:
            self._write_timer.cancel()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse a request that cannot be parsed."""
        self._refuse(HTTPStatus.BAD_REQUEST, msg)

    @property
    def _waits(self) -> bool:
        """Whether no request is in progress."""
        return self.cycle is None or self.cycle.response_complete

    def _has_room(self) -> bool:
        full = len(self._open.connections) >= CONNECTIONS
        of_address = self._address not in self._open.proxies and (
            self._open.by_address[self._address] >= CONNECTIONS_OF_ADDRESS
        )
        if not full and not of_address:
            return True
        candidates = (each for each in self._open.connections if each._waits)
        if of_address:
            candidates = (each for each in candidates if each._address == self._address)
        longest = next(candidates, None)
        if longest is None:
            return False
        longest._forget()
        longest.transport.abort()
        return True

    def _forget(self) -> None:
        if self in self._open.connections:
            del self._open.connections[self]
            self._open.by_address[self._address] -= 1
            if not self._open.by_address[self._address]:
                del self._open.by_address[self._address]

    def _limit_head(self) -> None:
        # After an early response, the rest of a body still arrives.
        rest = self.cycle is not None and self.cycle.more_body
        self._head_timer = self.loop.call_later(limits.BODY_TIMEOUT_S if rest else HEAD_S, self._head_is_late)

    def _head_is_late(self) -> None:
        self._head_timer = None
        if self._unparsed_bytes:
            self._refuse(HTTPStatus.REQUEST_TIMEOUT, "The request took too long to arrive.")
        else:
            self.transport.close()

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        """Answer without the application, and end the connection."""
        if self._refused or self.transport.is_closing():
            return
        if not self._waits:  # in the middle of another response, the client would misread an error
            self.transport.abort()
            return
        self._refused = True
        self._forget()
        body = json.dumps({"code": status.value, "error": message}).encode()
        head = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\ncontent-type: application/json\r\n"
            f"content-length: {len(body)}\r\nconnection: close\r\n"
        )
        if status is HTTPStatus.SERVICE_UNAVAILABLE:
            head += f"retry-after: {RETRY_AFTER_S}\r\n"
        self.transport.write(f"{head}\r\n".encode() + body)
        self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.abort)

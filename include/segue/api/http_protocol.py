"""Uvicorn's HTTP protocol with two workarounds for players.

- HTTP header names are case-insensitive, but some players look for exactly ``X-RateLimit-Remaining``. Uvicorn
  writes all names in lower case, so the names of ListenBrainz are restored.
- Java's HTTP client offers HTTP/2 with its first request (``Upgrade: h2c``). A server may ignore the offer, but
  then httptools loses the body (https://github.com/MagicStack/httptools/issues/124). So the offer is removed.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from segue.api.connection_limits import WRITE_S, LimitedHttpProtocol

HEADER_NAMES: Final = (
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset-In",
    "X-RateLimit-Reset",
    "Retry-After",
)

_SPELLING: Final = {name.lower().encode(): name.encode() for name in HEADER_NAMES}
_OFFER: Final = re.compile(rb"\r\nUpgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)
_LINE_START: Final = re.compile(b"(?<=\r\n)(?:" + b"|".join(_SPELLING) + b")(?=: )")


class _Transport:
    """Wrap a transport: restore the case of header names, and end a closed connection whose client does not read.

    Everything else is left to the wrapped transport.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write data. Uvicorn writes the head of a response as one piece, separate from the body."""
        if data.startswith(b"HTTP/1.1 "):
            data = _LINE_START.sub(lambda found: _SPELLING[found[0]], data)
        self._transport.write(data)

    def close(self) -> None:
        """Close the connection when the client has read what is waiting, but after `WRITE_S` at the latest."""
        self._transport.close()
        if self._transport.get_write_buffer_size():
            asyncio.get_running_loop().call_later(WRITE_S, self._transport.abort)


class PlayerHttpProtocol(LimitedHttpProtocol):
    """Uvicorn's HTTP protocol with limits. It keeps the case of `HEADER_NAMES` and removes offers of HTTP/2."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Accept a connection."""
        super().connection_made(_Transport(transport))  # type: ignore[arg-type]  # it behaves as a transport

    def data_received(self, data: bytes) -> None:
        """Receive data. If no request is in progress, the data begin with the head of a request."""
        if self.cycle is None or self.cycle.response_complete:
            head, end, body = data.partition(b"\r\n\r\n")
            data = _OFFER.sub(b"", head + end) + body
        super().data_received(data)

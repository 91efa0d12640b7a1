"""HTTP as players need it on the wire: header names as ListenBrainz writes them, and bodies of Java's requests.

Names of HTTP headers have no case, but some players look for exactly ``X-RateLimit-Remaining``. Uvicorn writes
all names in small letters.

Java's HTTP client offers HTTP/2 with each first request (``Upgrade: h2c``). A server may ignore the offer, but
httptools then loses the body (https://github.com/MagicStack/httptools/issues/124), so it never sees the offer.
"""

from __future__ import annotations

import asyncio
import re
from typing import Any, Final

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

NAMES: Final = (
    "X-RateLimit-Limit",
    "X-RateLimit-Remaining",
    "X-RateLimit-Reset-In",
    "X-RateLimit-Reset",
    "Retry-After",
)

_SPELLING: Final = {name.lower().encode(): name.encode() for name in NAMES}
_OFFER: Final = re.compile(rb"\r\nUpgrade:[ \t]*h2c[ \t]*(?=\r\n)", re.IGNORECASE)
_LINE_START: Final = re.compile(b"(?<=\r\n)(?:" + b"|".join(_SPELLING) + b")(?=: )")


class _Transport:
    """A connection whose heads of answers are spelled anew; all else is that of the connection."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)

    def write(self, data: bytes) -> None:
        """Write; uvicorn writes the head of an answer at once, and nothing else with it."""
        if data.startswith(b"HTTP/1.1 "):
            data = _LINE_START.sub(lambda found: _SPELLING[found[0]], data)
        self._transport.write(data)


class SpelledHeaders(HttpToolsProtocol):
    """Uvicorn's HTTP protocol with ListenBrainz's spelling of `NAMES`, and without HTTP/2."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take a connection."""
        super().connection_made(_Transport(transport))  # type: ignore[arg-type]  # it has all of a transport's

    def data_received(self, data: bytes) -> None:
        """Take bytes; where no request is being answered, they begin with the head of one."""
        if self.cycle is None or self.cycle.response_complete:
            head, end, body = data.partition(b"\r\n\r\n")
            data = _OFFER.sub(b"", head + end) + body
        super().data_received(data)

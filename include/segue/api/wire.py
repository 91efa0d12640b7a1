"""Header names on the wire as ListenBrainz writes them.

Names of HTTP headers have no case, but some players look for exactly ``X-RateLimit-Remaining``. Uvicorn writes
all names in small letters.
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
    """Uvicorn's HTTP protocol with ListenBrainz's spelling of `NAMES`."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Take a connection."""
        super().connection_made(_Transport(transport))  # type: ignore[arg-type]  # it has all of a transport's

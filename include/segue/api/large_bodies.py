"""Limits of the memory for large bodies.

A body of 10 MB becomes about 100 MB of Python objects. So only a few large bodies are received at the same time,
and fewer are processed.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from segue.api.errors import ApiError

LARGE_BYTES = 131_072
"""Bodies larger than this are limited. Players send few of them, because such a body holds hundreds of listens."""

RECEIVED_AT_ONCE = 16

PROCESSED_AT_ONCE = 2

WAIT_S = 10.0
"""How long a received body may wait to be processed."""


def _too_many() -> ApiError:
    return ApiError(
        HTTPStatus.SERVICE_UNAVAILABLE,
        "Too many large requests arrive at the moment. Send this request again after the seconds in Retry-After.",
    )


class LargeBodies:
    """ASGI middleware that limits how many large bodies are received at the same time.

    Parameters
    ----------
    app
        The application.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app
        self._received = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        size, large = 0, False

        async def limited_receive() -> Message:
            nonlocal size, large
            message = await receive()
            size += len(message.get("body", b""))
            if size > LARGE_BYTES and not large:
                if self._received >= RECEIVED_AT_ONCE:
                    raise _too_many()
                self._received += 1
                large = True
            return message

        try:
            await self._app(scope, limited_receive, send)
        finally:
            self._received -= large


class Processing:
    """Limits how many large bodies are processed at the same time."""

    def __init__(self) -> None:
        self._slots = asyncio.Semaphore(PROCESSED_AT_ONCE)

    @asynccontextmanager
    async def slot(self, size: int) -> AsyncIterator[None]:
        """Hold a slot while a body of `size` bytes is processed. A small body needs none.

        Raises
        ------
        ApiError
            503, if no slot becomes free within `WAIT_S`.
        """
        if size <= LARGE_BYTES:
            yield
            return
        try:
            async with asyncio.timeout(WAIT_S):
                await self._slots.acquire()
        except TimeoutError:
            raise _too_many() from None
        try:
            yield
        finally:
            self._slots.release()

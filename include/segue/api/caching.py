"""Answers that cost something and that anybody may ask for."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from fastapi.concurrency import run_in_threadpool

T = TypeVar("T")

KEPT_S = 2.0
"""How old an answer may be."""


class Lately(Generic[T]):
    """The answer of the last seconds; a new one is found by one thread, whoever asks meanwhile waits for it.

    Parameters
    ----------
    ask
        Finds the answer, and may block.
    """

    def __init__(self, ask: Callable[[], T]) -> None:
        self._ask = ask
        self._lock = asyncio.Lock()
        self._found: tuple[float, T] | None = None

    async def __call__(self) -> T:
        """Tell."""
        async with self._lock:
            if self._found is None or time.monotonic() - self._found[0] > KEPT_S:
                answer = await run_in_threadpool(self._ask)
                self._found = time.monotonic(), answer
            return self._found[1]

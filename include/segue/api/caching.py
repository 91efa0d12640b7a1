"""A cache for results that are expensive and that anybody may request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Generic, TypeVar

from fastapi.concurrency import run_in_threadpool

T = TypeVar("T")

MAX_AGE_S = 2.0
"""Age at which a cached value expires, unless another one is given."""


class CachedValue(Generic[T]):
    """A value that is computed again when it has expired.

    One thread computes it. Requests that arrive meanwhile wait for the result, and need no threads.

    Parameters
    ----------
    compute
        Returns the value; it may block.
    max_age_s
        Age at which the value expires.
    """

    def __init__(self, compute: Callable[[], T], max_age_s: float = MAX_AGE_S) -> None:
        self._compute = compute
        self._max_age_s = max_age_s
        self._lock = asyncio.Lock()
        self._cached: tuple[float, T] | None = None

    async def get(self) -> T:
        """Return the cached value, or compute it if it is older than `max_age_s` seconds."""
        async with self._lock:
            if self._cached is None or time.monotonic() - self._cached[0] > self._max_age_s:
                value = await run_in_threadpool(self._compute)
                self._cached = time.monotonic(), value
            return self._cached[1]

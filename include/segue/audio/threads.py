"""One thread per worker. Spark runs a worker on each core, so BLAS must not start more threads."""

from __future__ import annotations

from contextlib import AbstractContextManager
from functools import lru_cache
from typing import Any

from threadpoolctl import ThreadpoolController  # type: ignore[import-untyped]


def one_blas_thread() -> AbstractContextManager[Any]:
    """Limit BLAS to the calling thread within a ``with`` block."""
    limiter: AbstractContextManager[Any] = _pools().limit(limits=1, user_api="blas")
    return limiter


@lru_cache(maxsize=1)
def _pools() -> ThreadpoolController:
    return ThreadpoolController()

"""How Segue compiles: numba, single-threaded, the machine code cached on disk."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])

_FASTMATH: Final = {"contract", "nsz", "nnan", "ninf", "arcp"}
"""All but reassociation: sums keep librosa's order where that matters. Input is finite, `extract` sees to it."""


def compiled(function: Function) -> Function:
    """Compile a function at its first call, or load it from the cache."""
    return cast(Function, numba.njit(cache=True, fastmath=_FASTMATH, error_model="numpy", nogil=True)(function))


def inlined(function: Function) -> Function:
    """Compile a function into its callers, so that constant arguments shape its loops."""
    return cast(Function, numba.njit(fastmath=_FASTMATH, error_model="numpy", forceinline=True)(function))

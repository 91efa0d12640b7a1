"""How Segue compiles: numba, single-threaded, the machine code cached on disk."""

from __future__ import annotations

import os
import stat
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
import numba.core.config

Function = TypeVar("Function", bound=Callable[..., Any])

_FASTMATH: Final = {"contract", "nsz", "nnan", "ninf", "arcp"}
"""All but reassociation: sums keep librosa's order where that matters. Input is finite, `extract` sees to it."""


def compiled(function: Function) -> Function:
    """Compile a function at its first call, or load it from the cache.

    The cache lies beside the source, else in the user's cache folder; where neither can be written, in the
    temporary folder, so that a read-only installation works.
    """
    try:
        return _compile(function)
    except RuntimeError:  # numba found no folder that it can write
        numba.core.config.CACHE_DIR = str(_temporary_cache())  # type: ignore[attr-defined]
        return _compile(function)


def inlined(function: Function) -> Function:
    """Compile a function into its callers, so that constant arguments shape its loops."""
    return cast(Function, numba.njit(fastmath=_FASTMATH, error_model="numpy", forceinline=True)(function))


def _compile(function: Function) -> Function:
    return cast(Function, numba.njit(cache=True, fastmath=_FASTMATH, error_model="numpy", nogil=True)(function))


def _temporary_cache() -> Path:
    """Folder of this user alone: code is loaded from it."""
    folder = Path(tempfile.gettempdir()) / f"segue-compiled-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077:
        return folder
    return Path(tempfile.mkdtemp(prefix="segue-compiled-"))

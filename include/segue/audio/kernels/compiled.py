"""Compile functions with numba, single-threaded, and cache the machine code on disk."""

from __future__ import annotations

import fcntl
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, TypeVar, cast

import numba
import numba.core.codegen
import numba.core.config
from numba.core.caching import FunctionCache, IndexDataCacheFile

Function = TypeVar("Function", bound=Callable[..., Any])

_FASTMATH: Final = {"contract", "nsz", "nnan", "ninf", "arcp"}
"""All flags except reassociation, so that sums keep librosa's order. `extract` ensures that input is finite."""


def _use_whole_vectors() -> None:
    """Let LLVM use vectors of 512 bits where the processor has them. By default it prefers 256.

    This makes the first pass a tenth faster. It affects everything that numba compiles in this process from now
    on.
    """
    features = numba.core.codegen.get_host_cpu_features()  # type: ignore[no-untyped-call]
    if numba.core.config.CPU_FEATURES is None and "+avx512f" in features:  # type: ignore[attr-defined]
        numba.core.config.CPU_FEATURES = f"{features},-prefer-256-bit"  # type: ignore[attr-defined]


_use_whole_vectors()


def compiled(function: Function) -> Function:
    """Compile a function at its first call, or load it from the cache.

    The cache is beside the source, or else in the user's cache folder. If neither can be written, as in a
    read-only installation, it is in the temporary folder.
    """
    return _compiled(function, _FASTMATH)


def summing(function: Function) -> Function:
    """Compile as `compiled` does, but allow sums in any order. In double precision the order does not matter."""
    return _compiled(function, _FASTMATH | {"reassoc"})


def inlined(function: Function) -> Function:
    """Compile a function into its callers, so that loops are specialised for constant arguments."""
    return cast(Function, numba.njit(fastmath=_FASTMATH, error_model="numpy", forceinline=True)(function))


class LockedCache(FunctionCache):
    """Let one process at a time add machine code.

    numba stores a file of machine code for each signature of a function, and numbers these files in an index. It
    reads, changes and writes the index without a lock. Without this class, two workers that start at once can
    leave an index with the wrong code for a signature.
    """

    def save_overload(self, sig: Any, data: Any) -> None:
        """Write machine code and its index entry."""
        Path(self.cache_path).mkdir(parents=True, exist_ok=True)
        with Path(self.cache_path, "segue.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            super().save_overload(sig, data)  # type: ignore[no-untyped-call]


class _PackageCache(LockedCache):
    """Compile again when any module of `segue.audio` has changed.

    numba checks only the file of the function itself. It would keep old code of other functions that are compiled
    into this one.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)  # type: ignore[no-untyped-call]
        stamp = self._impl.locator.get_source_stamp(), _package_stamp()
        self._cache_file = IndexDataCacheFile(self.cache_path, self._impl.filename_base, stamp)  # type: ignore[no-untyped-call]


@contextmanager
def one_process() -> Iterator[None]:
    """Wait until no other process of this user is in this block.

    Import modules with `numba.guvectorize` in it, such as librosa's. numba caches the compiled function and a
    wrapper that calls it in two files. If two processes compile at once, one of them can load the other's wrapper.
    This wrapper calls a function of the other process, so that the address of the call is zero.
    """
    with (_temporary_cache() / "import.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@lru_cache(maxsize=1)
def _package_stamp() -> tuple[tuple[str, int, int], ...]:
    package = Path(__file__).parents[1]
    sources = [(source, source.stat()) for source in sorted(package.rglob("*.py"))]
    return tuple(
        (str(source.relative_to(package)), status.st_mtime_ns, status.st_size) for source, status in sources
    )


def _compiled(function: Function, fastmath: set[str]) -> Function:
    try:
        return _compile(function, fastmath)
    except RuntimeError:  # numba found no writable folder
        numba.core.config.CACHE_DIR = str(_temporary_cache())  # type: ignore[attr-defined]
        return _compile(function, fastmath)


def _compile(function: Function, fastmath: set[str]) -> Function:
    dispatcher: Any = numba.njit(fastmath=fastmath, error_model="numpy", nogil=True)(function)
    dispatcher._cache = _PackageCache(function)  # like `cache=True`, which uses numba's own class
    return cast(Function, dispatcher)


def _temporary_cache() -> Path:
    """Return a folder that only this user can write, because code is loaded from it."""
    folder = Path(tempfile.gettempdir()) / f"segue-compiled-{os.getuid()}"
    folder.mkdir(mode=0o700, exist_ok=True)
    status = folder.lstat()
    if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and not status.st_mode & 0o077:
        return folder
    return Path(tempfile.mkdtemp(prefix="segue-compiled-"))

"""Store arrays for a second pass: a few in memory, more in a temporary file."""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterator
from typing import IO, Any, Final

import numpy as np
from numpy.typing import NDArray

Float32 = NDArray[np.float32]

_IN_MEMORY_BYTES: Final = 48 * 2**20


class Spool:
    """Float32 arrays in the order in which they were appended.

    Parameters
    ----------
    in_memory_bytes : int
        Largest size in memory. When it is exceeded, all arrays go to an unnamed temporary file.
    """

    def __init__(self, in_memory_bytes: int | None = None) -> None:
        self._limit = _IN_MEMORY_BYTES if in_memory_bytes is None else in_memory_bytes
        self._size = 0
        self._arrays: list[Float32] = []
        self._shapes: list[tuple[int, ...]] = []
        self._file: IO[bytes] | None = None

    def __len__(self) -> int:
        return len(self._shapes)

    def append(self, array: Float32) -> None:
        """Append an array. It must not change later."""
        self._shapes.append(array.shape)
        self._size += array.nbytes
        self._arrays.append(array)
        if self._size > self._limit:
            self._write()

    def _write(self) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(prefix="segue-")  # noqa: SIM115 - lives as long as the spool
            weakref.finalize(self, self._file.close)
        for array in self._arrays:
            self._file.write(np.ascontiguousarray(array).data)
        self._arrays.clear()

    def __iter__(self) -> Iterator[Float32]:
        if self._file is None:
            yield from self._arrays
            return
        self._file.seek(0)
        for shape in self._shapes:
            array: NDArray[Any] = np.empty(shape, np.float32)
            self._file.readinto(array.data)  # type: ignore[attr-defined]
            yield array

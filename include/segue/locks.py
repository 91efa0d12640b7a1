"""Locks between processes. The operating system frees a lock when its holder dies."""

from __future__ import annotations

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segue.errors import StackError


@contextmanager
def exclusive(path: Path, *, busy: str | None = None) -> Iterator[None]:
    """Hold the lock file at `path` while the block runs.

    Parameters
    ----------
    path : Path
        The lock file. It is not removed, because two processes could then lock two files of the same name.
    busy : str, optional
        Message of the error if another process holds the lock. Without a message, wait.

    Raises
    ------
    StackError
        If another process holds the lock and `busy` is given.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            raise StackError(str(busy)) from None
        yield

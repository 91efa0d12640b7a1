"""Locks between processes, which the operating system frees when their holder dies."""

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
        The lock file; it stays, since removing it would let two processes lock two files of one name.
    busy : str, optional
        What to say when someone else holds the lock. Without it, wait.

    Raises
    ------
    StackError
        With the message `busy`.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (fcntl.LOCK_NB if busy else 0))
        except BlockingIOError:
            raise StackError(str(busy)) from None
        yield

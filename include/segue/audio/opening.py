"""Open an audio file for reading, or find the reason why it cannot be used."""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from segue.audio.limits import Limits
from segue.audio.reasons import Reason, RejectionError

_OPEN_ERRORS = {
    errno.ENOENT: (Reason.NOT_FOUND, "There is no such file."),
    errno.ENOTDIR: (Reason.NOT_FOUND, "There is no such file."),
    errno.ELOOP: (Reason.NOT_A_FILE, "It is a symbolic link that leads in a circle."),
    errno.ENXIO: (Reason.NOT_A_FILE, "It is a socket or a device, not a file."),
    errno.EACCES: (Reason.NO_PERMISSION, "This user may not read it."),
    errno.EPERM: (Reason.NO_PERMISSION, "This user may not read it."),
}


@contextmanager
def opened(path: str | Path, limits: Limits) -> Iterator[FileIO]:
    """Open a regular file of an acceptable size, and check at the end that it has not changed meanwhile.

    Raises
    ------
    RejectionError
        If it is not such a file, if it cannot be read, or if it has changed.
    """
    try:
        # Without O_NONBLOCK, opening a FIFO waits for a writer that never comes.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        try:
            before = os.fstat(descriptor)
            _check_kind_and_size(before, limits)
            try:
                with FileIO(descriptor, closefd=False) as file:
                    yield file
            except RejectionError:
                _check_unchanged(descriptor, before)  # a change of the file explains the rejection
                raise
            _check_unchanged(descriptor, before)
        finally:
            os.close(descriptor)
    except OSError as error:
        reason, message = _OPEN_ERRORS.get(
            error.errno or 0, (Reason.UNREADABLE, f"The file cannot be read: {error.strerror}.")
        )
        raise RejectionError(reason, message) from error


def _check_unchanged(descriptor: int, before: os.stat_result) -> None:
    after = os.fstat(descriptor)
    if (before.st_size, before.st_mtime_ns) != (after.st_size, after.st_mtime_ns):
        raise RejectionError(Reason.CHANGED, "The file changed while it was read.")


def _check_kind_and_size(status: os.stat_result, limits: Limits) -> None:
    if not stat.S_ISREG(status.st_mode):
        kind = "a folder" if stat.S_ISDIR(status.st_mode) else "a pipe or a device"
        raise RejectionError(Reason.NOT_A_FILE, f"It is {kind}, not a file.")
    if status.st_size == 0:
        raise RejectionError(Reason.EMPTY, "The file has no bytes.")
    if status.st_size > limits.max_size_bytes:
        message = f"The file has {status.st_size:,} bytes, more than {limits.max_size_bytes:,}."
        raise RejectionError(Reason.TOO_LARGE, message)

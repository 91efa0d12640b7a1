"""Files and folders that only their owner may read."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from segue.errors import StackError

UMASK = 0o077
"""It takes all rights to new files and folders from the group and from others."""


@contextmanager
def umask() -> Iterator[None]:
    """Create all files of this process, and of those that it starts, with `UMASK` while the block runs."""
    before = os.umask(UMASK)
    try:
        yield
    finally:
        os.umask(before)


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """Create a folder that appears under its name only when it is complete.

    Parameters
    ----------
    folder : Path
        It must not exist. What a process that was killed has left of it is removed.

    Yields
    ------
    Path
        Where to write: a folder beside it whose name ends in ``.partial``. It is renamed when the block ends, and
        removed when the block raises.
    """
    partial = folder.with_name(f"{folder.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    try:
        with umask():
            partial.mkdir(parents=True)
            yield partial
            partial.rename(folder)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def write(path: Path, content: str | bytes) -> None:
    """Replace a file in one step, so that nobody reads a part of it, even after a power failure.

    Parameters
    ----------
    path : Path
        Only its owner may read it, whatever the process's umask is. Its folder is created if it is missing.
    content : str or bytes
        Text is written as UTF-8.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.{os.getpid()}")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as stream:
        stream.write(content.encode() if isinstance(content, str) else content)
        stream.flush()
        os.fsync(stream.fileno())
    new.replace(path)


def close(folder: Path, spare: Path) -> None:
    """Take all rights to a folder, and to everything in it, from the group and from others.

    A folder that is closed already is not walked, because nobody reaches what is in it.

    Parameters
    ----------
    folder : Path
        It need not exist.
    spare : Path
        Folder in it that is left as it is. Links are left as they are, too.

    Raises
    ------
    StackError
        If a file or folder belongs to another user.
    """
    if not folder.is_dir() or not folder.stat().st_mode & UMASK:
        return
    for parent, folders, files in os.walk(folder):
        folders[:] = [name for name in folders if Path(parent, name) != spare]
        for name in (*folders, *files):
            _close(Path(parent, name))
    _close(folder)  # last, so that a walk that was broken off is made again


def _close(path: Path) -> None:
    mode = path.lstat().st_mode
    if stat.S_ISLNK(mode) or not mode & UMASK:
        return
    try:
        path.chmod(stat.S_IMODE(mode) & ~UMASK)
    except PermissionError:
        raise StackError(
            f"{path} belongs to another user, so Segue cannot keep it from being read by others. Give everything "
            "in Segue's folder to the user who runs Segue, with `sudo chown --recursive USER FOLDER`."
        ) from None

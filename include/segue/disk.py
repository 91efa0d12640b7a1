"""Recognise a full disk. Services report it in many ways, or only as an internal error."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path

from segue.errors import FullDiskError

LOW_BYTES = 256 * 2**20
"""With less space than this, the document server may fail to add its next log file of up to 128 MiB."""
OF_LISTENS = ("kafka", "mongo")
"""Folders of the state folder that hold listens."""
OF_SERVICES = (*OF_LISTENS, "airflow")
"""Folders of the state folder that grow while nobody runs a job."""
CERTAIN = ("No space left on device", "OutOfDiskSpace")
POSSIBLE = ("WT_PANIC", "internal server error")


def fullness(folder: Path) -> str | None:
    """Return a sentence if the disk of `folder` is full or almost so, else None."""
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    return f"Disk full: {folder} has {free / 1e6:,.0f} MB left." if free < LOW_BYTES else None


def fullness_of_stack(state_dir: Path, services: Sequence[str] = OF_SERVICES) -> str | None:
    """Return a sentence if a disk of the stack is full or almost so, else None.

    Parameters
    ----------
    state_dir : Path
        Folder of the stack.
    services : sequence of str, optional
        Folders in it that may be on disks of their own. Default: those of all services.
    """
    return next(filter(None, map(fullness, (state_dir, *(state_dir / name for name in services)))), None)


def require_space(state_dir: Path) -> None:
    """Let no work begin that may fill a disk of the stack.

    Raises
    ------
    FullDiskError
        If one is full or almost so.
    """
    if full := fullness_of_stack(state_dir):
        raise FullDiskError(f"{full} Free some space. A retry of this task then does its work.")


def explanation(error: BaseException, *folders: Path) -> str | None:
    """Explain an error, if a full disk is the cause.

    Parameters
    ----------
    error : BaseException
        Error of a job that uses the lake and the document server.
    *folders : Path
        Where the job and the services write: the data folder of the embedded document server, a lake on this
        machine, Spark's scratch folders. They need not exist.

    Returns
    -------
    str or None
        What happened and what to do. None if a full disk does not explain the error.
    """
    text = f"{error}"
    certain = any(words in text for words in CERTAIN)
    full = next(filter(None, map(fullness, folders)), None)
    if not certain and not (full and any(words in text for words in POSSIBLE)):
        return None
    happened = full or "Disk full: a service or the lake has no space left."
    return (
        f"{happened} Free some space: the stack's supervisor then restarts what has stopped writing. A retry of "
        "this task repeats its writes, and nothing that was acknowledged is lost."
    )

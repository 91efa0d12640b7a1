"""Folders and object stores, by fsspec: list them, and copy one object at a time onto this machine.

Decoders need a file that they can seek in, so an object is copied to a temporary file while it is extracted.
`segue.corpus.listing` lists a music folder on this machine itself.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from upath import UPath

MODIFIED = ("mtime", "LastModified", "last_modified", "updated", "created")
"""Names of the time of the last change in fsspec's file systems: local, S3, Azure, Google, memory."""


def walk(root: UPath) -> Iterator[tuple[str, int, int]]:
    """List all objects below a prefix.

    Parameters
    ----------
    root : UPath

    Yields
    ------
    tuple of (str, int, int)
        Path relative to `root`, size in bytes, time of the last change in nanoseconds since 1970.
    """
    prefix = root.fs._strip_protocol(str(root)).rstrip("/") + "/"
    for path, info in root.fs.find(prefix, detail=True).items():
        yield path.removeprefix(prefix), int(info["size"] or 0), _modified_ns(info)


def names(folder: str) -> list[str]:
    """List what a folder, or a prefix of an object store, holds.

    Parameters
    ----------
    folder : str
        Path or URL.

    Returns
    -------
    list of str
        Names without the folder. Empty if there is no such folder.
    """
    place = UPath(folder)
    return [each.name for each in place.iterdir()] if place.is_dir() else []


@contextmanager
def local_copy(root: Path | UPath, path: str) -> Iterator[str]:
    """Provide a file of the music folder as a file on this machine.

    Parameters
    ----------
    root : Path or UPath
        The music folder.
    path : str
        Relative to it.

    Yields
    ------
    str
        Path of the file itself, or of a copy that is removed after the body. Nothing is at that path if the object
        has gone since it was listed; extraction then rejects it as unreadable, as it does such a file.
    """
    if isinstance(root, Path):
        yield f"{root}/{path}"
        return
    with tempfile.TemporaryDirectory(prefix="segue-object-") as folder:
        copy = f"{folder}/object{PurePosixPath(path).suffix}"
        prefix = root.fs._strip_protocol(str(root)).rstrip("/")
        if root.fs.exists(source := f"{prefix}/{path}"):
            root.fs.get_file(source, copy)
        yield copy


def _modified_ns(info: Mapping[str, Any]) -> int:
    found = next((info[name] for name in MODIFIED if info.get(name) is not None), 0)
    if isinstance(found, str):
        found = datetime.fromisoformat(found)
    seconds = found.timestamp() if isinstance(found, datetime) else found
    return round(seconds * 1e9)

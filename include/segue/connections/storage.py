"""List folders and object stores with fsspec, and copy one object at a time to this machine.

Decoders need a seekable file, so an object is copied to a temporary file while it is extracted. A music folder on
this machine is listed without this module, by `segue.corpus.listing`.
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
"""Names of the modification time in fsspec's file systems: local, S3, Azure, Google, memory."""


def walk(root: UPath) -> Iterator[tuple[str, int, int]]:
    """List all objects below a prefix.

    Parameters
    ----------
    root : UPath

    Yields
    ------
    tuple of (str, int, int)
        Path relative to `root`, size in bytes, modification time in nanoseconds since 1970.
    """
    prefix = root.fs._strip_protocol(str(root)).rstrip("/") + "/"
    for path, info in root.fs.find(prefix, detail=True).items():
        yield path.removeprefix(prefix), int(info["size"] or 0), _modified_ns(info)


def names(folder: str) -> list[str]:
    """List the content of a folder, or of a prefix of an object store.

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
        Path of the file itself, or of a copy that is removed after the body. If the object was deleted after it
        was listed, there is no file at this path. Extraction then rejects it, as it rejects a file that was
        deleted.
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

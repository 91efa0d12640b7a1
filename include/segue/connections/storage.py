"""Music in an object store: list it, and bring one file at a time onto this machine.

Decoders need a file that they can seek in, so an object is copied to a temporary one while it is extracted.
A music folder on this machine is read in place, by `segue.corpus.listing`.
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
"""How fsspec's file systems call the time of the last change: local, S3, Azure, Google, memory."""


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


@contextmanager
def local_copy(root: Path | UPath, path: str) -> Iterator[str]:
    """Give a file of the music folder a place on this machine.

    Parameters
    ----------
    root : Path or UPath
        The music folder.
    path : str
        Relative to it.

    Yields
    ------
    str
        The file itself, or a copy that ends with the body. An object that has gone has none: extraction then
        rejects it as unreadable, as it does a file that has gone.
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

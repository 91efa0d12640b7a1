"""List folders and object stores with fsspec, and copy one object at a time to this machine.

Decoders need a seekable file, so an object is copied to a temporary file while it is extracted. A music folder on
this machine is listed without this module, by `segue.corpus.listing`.
"""

from __future__ import annotations

import tempfile
import time
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
    if root.protocol in ("s3", "s3a"):
        yield from _walk_s3(root)
        return
    prefix = root.fs._strip_protocol(str(root)).rstrip("/") + "/"
    for path, info in root.fs.find(prefix, detail=True).items():
        yield path.removeprefix(prefix), int(info["size"] or 0), _modified_ns(info)


def _walk_s3(root: UPath) -> Iterator[tuple[str, int, int]]:
    """List a page at a time. fsspec would keep all objects below the prefix in memory."""
    import boto3

    bucket, _, prefix = root.path.rstrip("/").partition("/")
    prefix = f"{prefix}/" if prefix else ""
    for page in boto3.client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
        for found in page.get("Contents", ()):
            if not found["Key"].endswith("/"):  # a folder that a console has created
                yield found["Key"].removeprefix(prefix), found["Size"], _modified_ns(found)


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


def remove_older(folder: str, days: int) -> None:
    """Remove what lies in a folder and has not changed for some days.

    Parameters
    ----------
    folder : str
        Path or URL. There need be no such folder.
    days : int
    """
    place = UPath(folder)
    oldest_ns = (time.time() - days * 24 * 60 * 60) * 1e9
    for each in place.iterdir() if place.is_dir() else []:
        files = each.fs.find(each.path, detail=True).values() or [each.fs.info(each.path)]
        if max(map(_modified_ns, files)) < oldest_ns:
            each.fs.rm(each.path, recursive=True)


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

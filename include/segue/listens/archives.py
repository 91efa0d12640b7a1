"""Limits of the zip files that users import. Without them, a small file could unpack to more than the memory."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from zipfile import ZipFile

from segue.errors import SegueError

MAX_UNPACKED_BYTES = 256 * 2**20
"""Largest size of one unpacked file. A month of listens, or a file of another service's export, has a few MB."""


class ArchiveError(SegueError):
    """A zip file contains a file that is too large."""


def check_sizes(path: Path, archive: ZipFile, names: Iterable[str]) -> None:
    """Check the sizes that a zip file states for its files. Python reads no more of a file than this size.

    Parameters
    ----------
    path
        The zip file.
    archive
        The zip file, opened.
    names
        The files in it that will be read.

    Raises
    ------
    ArchiveError
        If one of the files is larger than `MAX_UNPACKED_BYTES`.
    """
    for name in names:
        size = archive.getinfo(name).file_size
        if size > MAX_UNPACKED_BYTES:
            raise ArchiveError(
                f"{path} contains {name} of {size / 2**20:,.0f} MiB unpacked, more than the "
                f"{MAX_UNPACKED_BYTES // 2**20} MiB that are read. If you trust it, unpack and split it first."
            )

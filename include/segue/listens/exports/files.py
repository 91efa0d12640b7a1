"""Open an exported file: a text file of any encoding, or a zip file of text files."""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from segue import encodings
from segue.encodings import marked
from segue.listens.archives import check_sizes
from segue.listens.exports.lines import ImportFileError

ZIPPED = b"PK\x03\x04"


def encoding_of(path: Path) -> str:
    """Find the encoding of a text file.

    Returns
    -------
    str
        That of the byte order mark, or else `segue.encodings.encoding_of`. The readers open UTF-8 with
        "surrogateescape", and can then count the lines that are not UTF-8.
    """
    with path.open("rb") as stream:
        head = stream.read(4)
        stream.seek(0)
        return marked(head) or encodings.encoding_of(stream)


@contextmanager
def texts(path: Path, is_wanted: Callable[[str], bool], what: str) -> Iterator[Iterator[TextIO]]:
    """Open a text file, or the wanted text files of a zip file, one after the other.

    Parameters
    ----------
    path
        The file.
    is_wanted
        Returns whether a file in the zip file belongs to the history, given its name.
    what
        What the wanted files are called in the error message.

    Yields
    ------
    iterator of TextIO
        The opened texts, in the order of their names. Invalid UTF-8 becomes the characters of "surrogateescape".

    Raises
    ------
    ImportFileError
        If a zip file is damaged, encrypted or contains no wanted file. It may be raised while the text is read.
    """
    with path.open("rb") as raw:
        is_zip = raw.read(len(ZIPPED)) == ZIPPED
    try:
        yield _members(path, is_wanted, what) if is_zip else _alone(path)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        raise ImportFileError(
            f"{path} is a damaged or encrypted zip file: {error}. Download it again, or unpack it and import the "
            "files in it."
        ) from error


def _alone(path: Path) -> Iterator[TextIO]:
    with path.open("rb") as raw:
        mark = raw.read(3)
    with path.open(encoding=marked(mark) or "utf-8", errors="surrogateescape") as stream:
        yield stream


def _members(path: Path, is_wanted: Callable[[str], bool], what: str) -> Iterator[TextIO]:
    with zipfile.ZipFile(path) as archive:
        names = sorted(filter(is_wanted, archive.namelist()))
        if not names:
            raise ImportFileError(f"{path} contains no {what}, so it is not this export.")
        check_sizes(path, archive, names)
        for name in names:
            with archive.open(name) as member, io.TextIOWrapper(member, "utf-8-sig", "surrogateescape") as text:
                yield text

"""Open an exported file: a text file of any encoding, or a zip file of text files."""

from __future__ import annotations

import codecs
import io
import zipfile
import zlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from charset_normalizer import from_bytes

from segue.listens.archives import check_sizes
from segue.listens.exports.lines import ImportFileError

MARKS = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

SINGLE_BYTE = ("cp1252", "cp1250", "cp1251", "koi8_r")
"""Encodings that are guessed. Multi-byte encodings of East Asia are not among them: a short list of names is not
enough text to distinguish them."""

GUESSED_FROM_BYTES = 1_000_000

ZIPPED = b"PK\x03\x04"


def encoding_of(path: Path) -> str:
    """Find the encoding of a text file.

    Returns
    -------
    str
        - That of the byte order mark, if there is one.
        - ``utf-8``, if the text is ASCII, or if at least one line with other characters is valid UTF-8. The
          readers open the file with "surrogateescape", and can then count the lines that are not UTF-8.
        - Otherwise the encoding of `SINGLE_BYTE` in which the text looks most like a language.
    """
    with path.open("rb") as stream:
        head = stream.read(4)
    if (marked := _marked(head)) is not None:
        return marked
    strange = bytearray()
    with path.open("rb") as stream:
        for line in stream:
            if line.isascii():
                continue
            try:
                line.decode()
            except UnicodeDecodeError:
                strange += line[: GUESSED_FROM_BYTES - len(strange)]
            else:
                return "utf-8"
    if not strange:
        return "utf-8"
    found = from_bytes(bytes(strange), cp_isolation=list(SINGLE_BYTE))
    likely = [name for match in found if match.chaos <= found[0].chaos for name in match.could_be_from_charset]
    return next((name for name in SINGLE_BYTE if name in likely), "utf-8")


def _marked(head: bytes) -> str | None:
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), None)


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
    with path.open(encoding=_marked(mark) or "utf-8", errors="surrogateescape") as stream:
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

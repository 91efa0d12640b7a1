"""Guess the encoding of text files that other programs have written."""

from __future__ import annotations

import codecs
from collections.abc import Iterable
from typing import Final

from charset_normalizer import from_bytes

MARKS: Final = {codecs.BOM_UTF8: "utf-8-sig", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}

SINGLE_BYTE: Final = ("cp1252", "cp1250", "cp1251", "koi8_r")
"""Encodings that are guessed. Multi-byte encodings of East Asia are not among them: a short list of names is not
enough text to distinguish them."""

GUESSED_FROM_BYTES: Final = 1_000_000


def marked(head: bytes) -> str | None:
    """Return the encoding of the byte order mark with which a text begins, or None."""
    return next((name for mark, name in MARKS.items() if head.startswith(mark)), None)


def encoding_of(lines: Iterable[bytes]) -> str:
    """Find the encoding of a text without a byte order mark.

    Parameters
    ----------
    lines
        The text. It is read up to the first line that shows the encoding.

    Returns
    -------
    str
        - ``utf-8``, if the text is ASCII, or if at least one line with other characters is valid UTF-8. Other
          lines may then be invalid.
        - Otherwise the encoding of `SINGLE_BYTE` in which the text looks most like a language.
    """
    strange = bytearray()
    for line in lines:
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


def decode(data: bytes) -> str:
    """Decode a whole text of unknown encoding. Invalid bytes become the replacement character U+FFFD."""
    return data.decode(marked(data) or encoding_of(data.splitlines(keepends=True)), "replace")

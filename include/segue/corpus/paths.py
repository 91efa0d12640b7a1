"""Write any file name as text, since Spark's strings are UTF-8 and file names need not be.

A name of valid UTF-8 stays as it is. A byte that is not becomes ``%XX``; to keep this reversible, a percent sign
that two hexadecimal digits follow becomes ``%25``.
"""

from __future__ import annotations

import os
import re

_ESCAPABLE = re.compile(rb"%(?=[0-9A-Fa-f]{2})")
_ESCAPED = re.compile(rb"%([0-9A-Fa-f]{2})")
_SURROGATE = re.compile("[\udc80-\udcff]")


def to_text(path: str) -> str:
    r"""Write a path of the file system as valid Unicode.

    Parameters
    ----------
    path : str
        As Python's `os` functions give it, with surrogates for undecodable bytes.

    Returns
    -------
    str

    Examples
    --------
    >>> to_text("Björk/100% live.mp3"), to_text("caf\udce9.mp3")
    ('Björk/100% live.mp3', 'caf%E9.mp3')
    """
    text = _ESCAPABLE.sub(b"%25", os.fsencode(path)).decode("utf-8", "surrogateescape")
    return _SURROGATE.sub(lambda found: f"%{ord(found[0]) - 0xDC00:02X}", text)


def from_text(text: str) -> str:
    """Turn `to_text` back.

    Parameters
    ----------
    text : str
        What `to_text` gave.

    Returns
    -------
    str
        The path, for `open`.
    """
    return os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text.encode()))

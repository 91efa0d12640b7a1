"""Write any file name as text. Spark's strings must be UTF-8, but file names need not be.

- A byte that is not valid UTF-8 becomes ``%XX``.
- A percent sign before two hexadecimal digits becomes ``%25``, so that every name can be read back.
- Everything else stays as it is.
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
        As Python's `os` functions return it, with surrogates for undecodable bytes.

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
    """Read a path that `to_text` has written.

    Parameters
    ----------
    text : str
        What `to_text` returned.

    Returns
    -------
    str
        The path, for `open`.
    """
    return os.fsdecode(_ESCAPED.sub(lambda found: bytes([int(found[1], 16)]), text.encode()))

"""Read the tags of an audio file."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

import mutagen

from segue.corpus.schema import TAG_NAMES

MAX_CHARACTERS = 1_000
"""Longer texts are cut, since a tag may hold a whole book."""

KEYS = {
    "title": ("title", "TIT2", "Title"),
    "artist": ("artist", "TPE1", "Author"),
    "album": ("album", "TALB", "WM/AlbumTitle"),
    "genre": ("genre", "TCON", "WM/Genre"),
    "date": ("date", "TDRC", "WM/Year"),
}
"""Names of each tag: mutagen's easy name, the ID3 frame (for WAV and AIFF), and Windows Media's attribute."""

UNREADABLE = (mutagen.MutagenError, OSError, EOFError, ValueError, LookupError, OverflowError, struct.error)
"""Exceptions that mutagen raises for damaged files: its own error, and others that its parsers raise."""


def read_tags(path: str | Path) -> dict[str, str | None]:
    """Read title, artist, album, genre and date.

    Parameters
    ----------
    path : str or Path
        An audio file of any kind.

    Returns
    -------
    dict of str to (str or None)
        Text of each tag, by the names of `schema.TAG_NAMES`. Several values of one tag are joined by ``"; "``. A
        blank or absent tag is None. All are None if the tags cannot be read.
    """
    try:
        file = mutagen.File(path, easy=True)
        tags = {} if file is None or file.tags is None else file.tags
        return {name: _as_text(next(filter(None, map(tags.get, KEYS[name])), [])) for name in TAG_NAMES}
    except UNREADABLE:
        return dict.fromkeys(TAG_NAMES)


def _as_text(values: Any) -> str | None:
    """Join the values of a tag. An ID3 frame has them in `text`, except that of the genre, which uses `genres`."""
    values = getattr(values, "genres", None) or getattr(values, "text", values)
    parts = values if isinstance(values, list) else [values]
    text = "; ".join(str(part) for part in parts if part)[:MAX_CHARACTERS]
    return text.encode("utf-8", "replace").decode().strip() or None

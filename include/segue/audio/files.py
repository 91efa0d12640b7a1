"""Find the audio files of a folder, and print their names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset(
    {".mp3", ".flac", ".ogg", ".oga", ".opus", ".wav", ".aif", ".aiff", ".aifc", ".m4a", ".m4b", ".mp4", ".aac"}
    | {".wma", ".ape", ".wv", ".tta", ".mpc", ".dsf", ".caf"}
)
"""Lower-case suffixes of audio files. The choice of the decoder depends only on the content."""


def find_audio(paths: Iterable[Path]) -> Iterator[Path]:
    """Replace folders by the audio files in and below them. Yield all other paths unchanged.

    Parameters
    ----------
    paths
        Files and folders.

    Yields
    ------
    Path
        The files of each folder are sorted by name. Links to folders are not followed.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, subfolders, names in os.walk(path):
            subfolders.sort()
            yield from (Path(folder, name) for name in sorted(names) if Path(name).suffix.lower() in SUFFIXES)


def printable(path: str) -> str:
    r"""Write a path as text that is safe for any terminal, CSV or JSON.

    Parameters
    ----------
    path
        Path that may contain undecodable bytes (as lone surrogates) and control characters such as newlines.

    Returns
    -------
    str
        The path, with these as ``\x..`` escapes.
    """
    text = os.fsencode(path).decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

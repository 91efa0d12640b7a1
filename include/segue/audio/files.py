"""The audio files of a folder, and their names in print."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset(
    {".mp3", ".flac", ".ogg", ".oga", ".opus", ".wav", ".aif", ".aiff", ".aifc", ".m4a", ".m4b", ".mp4", ".aac"}
    | {".wma", ".ape", ".wv", ".tta", ".mpc", ".dsf", ".caf"}
)
"""Lower-case suffixes by which audio is found in a folder. How a file is decoded depends on its content alone."""


def find_audio(paths: Iterable[Path]) -> Iterator[Path]:
    """Replace folders by the audio files in them and below; all else is given as it is.

    Parameters
    ----------
    paths
        Files and folders.

    Yields
    ------
    Path
        Each folder's files in the order of their names. Links to folders are not followed.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, subfolders, names in os.walk(path):
            subfolders.sort()
            yield from (Path(folder, name) for name in sorted(names) if Path(name).suffix.lower() in SUFFIXES)


def printable(path: str) -> str:
    r"""Write a path so that any terminal, CSV or JSON takes it.

    Parameters
    ----------
    path
        May hold undecodable bytes (as lone surrogates) and control characters such as newlines.

    Returns
    -------
    str
        With these as ``\x..`` escapes.
    """
    text = os.fsencode(path).decode(errors="backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)

"""Find the audio files of a folder, and print their names."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

SUFFIXES: Final = frozenset(
    {".mp3", ".flac", ".ogg", ".oga", ".opus", ".wav", ".aif", ".aiff", ".aifc", ".m4a", ".m4b", ".mp4", ".aac"}
    | {".alac", ".wma", ".ape", ".wv", ".tta", ".mpc", ".dsf", ".caf", ".mka", ".w64"}
)
"""Lower-case suffixes of audio files. The choice of the decoder depends only on the content."""

APPLE_DOUBLE: Final = "._"
"""Prefix of the files in which macOS keeps attributes of other files. They have the others' suffixes."""

SYSTEM_FOLDERS: Final = frozenset(
    {"lost+found", "$recycle.bin", "recycler", "system volume information"}
    | {".appledouble", ".documentrevisions-v100", ".fseventsd", ".spotlight-v100", ".temporaryitems"}
    | {"network trash folder", "temporary items"}
    | {"@eadir", "#recycle", "#snapshot", "@recycle", "@recently-snapshot", ".@__thumb"}
    | {".snapshot", ".snapshots", ".zfs", ".stversions", ".dropbox.cache"}
)
"""Lower-case names of folders that hold no music of the user: recycle bins, snapshots, and caches of Linux,
Windows, macOS, Synology, QNAP, Syncthing and Dropbox. Names that begin with ``.trash`` count, too."""


def is_audio(name: str) -> bool:
    """Return whether a file is listed as audio: by its suffix, unless it is an AppleDouble file.

    Parameters
    ----------
    name
        Name of the file without its folder. It may begin with dots: ``...And Justice for All.mp3`` is music.
    """
    return os.path.splitext(name)[1].lower() in SUFFIXES and not name.startswith(APPLE_DOUBLE)  # noqa: PTH122 - faster


def is_sheet(name: str) -> bool:
    """Return whether a file is a CUE sheet, given its name without its folder."""
    return name.lower().endswith(".cue") and not name.startswith(APPLE_DOUBLE)


def is_system_folder(name: str) -> bool:
    """Return whether a folder is left out, see `SYSTEM_FOLDERS`.

    Parameters
    ----------
    name
        Name of the folder without its parents.
    """
    return name.lower() in SYSTEM_FOLDERS or name.lower().startswith(".trash")


def find_audio(paths: Iterable[Path]) -> Iterator[Path]:
    """Replace folders by the audio files in and below them. Yield all other paths unchanged.

    Parameters
    ----------
    paths
        Files and folders.

    Yields
    ------
    Path
        The files of each folder are sorted by name. Links to folders are not followed. Folders of the system are
        left out.
    """
    for path in paths:
        if not path.is_dir():
            yield path
            continue
        for folder, subfolders, names in os.walk(path):
            subfolders[:] = sorted(name for name in subfolders if not is_system_folder(name))
            yield from (Path(folder, name) for name in sorted(names) if is_audio(name))


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

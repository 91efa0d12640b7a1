"""Write features as CSV like FMA's ``features.csv``: ``pandas.read_csv(…, header=[0, 1, 2], index_col=0)``."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable
from pathlib import Path
from tempfile import NamedTemporaryFile

from segue.audio.definition import COLUMNS
from segue.audio.files import printable
from segue.audio.results import Track


def write_fma_csv(tracks: Iterable[Track], path: Path) -> None:
    """Write three header rows (family, statistic, number), a row with the index's name, and one row per track.

    The file is written completely or not at all.

    Parameters
    ----------
    tracks
        Extracted tracks. The index is the path.
    path
        File to write. It is overwritten if it exists.

    Raises
    ------
    OSError
        If it cannot be written.
    """
    with NamedTemporaryFile("w", dir=path.parent, prefix=path.name, newline="", delete=False) as file:
        try:
            writer = csv.writer(file)
            families, statistics, numbers = zip(*COLUMNS, strict=True)
            writer.writerow(["feature", *families])
            writer.writerow(["statistics", *statistics])
            writer.writerow(["number", *numbers])
            writer.writerow(["path", *[""] * len(COLUMNS)])
            writer.writerows([_cell(track.path), *track.features] for track in tracks)
        except BaseException:
            Path(file.name).unlink()
            raise
    Path(file.name).chmod(0o666 & ~_umask())
    Path(file.name).replace(path)


def _cell(path: str) -> str:
    """Write a path so that no spreadsheet takes it for a formula: ``=1+1.mp3`` becomes ``./=1+1.mp3``."""
    text = printable(path)
    return f"./{text}" if text.startswith(("=", "+", "-", "@")) else text


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask

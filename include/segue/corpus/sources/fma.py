"""The Free Music Archive's data set (Defferrard et al., 2017), as published at github.com/mdeff/fma.

fma_full | fma_large | fma_medium | fma_small     000/000002.mp3, 155/155066.mp3, ...
fma_metadata/tracks.csv                           one row per track; three header rows
fma_metadata/genres.csv                           163 genres, each with its parent and its root
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path

import pandas as pd
from upath import UPath

from segue.corpus.metadata import Metadata, settle
from segue.corpus.sources.hierarchy import GENRES, read_hierarchy
from segue.corpus.sources.table import read_csv
from segue.errors import CorpusError

TRACKS = "tracks.csv"
SUBSETS = ("fma_full", "fma_large", "fma_medium", "fma_small")

HEADER_ROWS = 3
"""The header rows: the group of each column, its name, and a row that names only the index."""

TEXTS = {
    "title": ("track", "title"),
    "artist": ("artist", "name"),
    "album": ("album", "title"),
    "language": ("track", "language_code"),
    "date": ("album", "date_released"),
    "date_created": ("track", "date_created"),
    "split": ("set", "split"),
}
DURATION, ROOT, FINE = ("track", "duration"), ("track", "genre_top"), ("track", "genres")

NOTHING = ("", "nan")
"""Spellings of a missing value: blank as published, ``nan`` in tables that pandas has written."""


@dataclass(frozen=True)
class FmaMetadata:
    """FMA's tables.

    Attributes
    ----------
    folder : Path or UPath
        ``fma_metadata``.
    music_dir : Path or UPath
        One of `SUBSETS`, or a folder that holds one of them.
    """

    folder: Path | UPath
    music_dir: Path | UPath

    def __str__(self) -> str:
        """Name the source."""
        return f"FMA {self.folder}"

    def read(self, today: date) -> Metadata:
        """Read the tables.

        A track's genre is the root that FMA states, or else the root of most of its own genres. After a tie it has
        no genre. FMA states the duration of the whole track, but only ``fma_full`` has whole tracks. The other
        subsets have clips of 30 seconds, so the stated duration is not used for them.

        Parameters
        ----------
        today : date
            Later dates are dropped.

        Returns
        -------
        Metadata
            The track id is FMA's number without leading zeros.

        Raises
        ------
        CorpusError
            If a table cannot be read or is not as published, or if the music folder holds several subsets.
        """
        subset = self._subset()
        tracks, hierarchy = self._tracks(), read_hierarchy(self.folder / GENRES)
        number = pd.to_numeric(tracks["track_id"], errors="coerce")
        tracks = tracks[number.notna()].reset_index(drop=True)
        numbers = number.dropna().astype(int)
        inside = "" if subset == self.music_dir.name else f"{subset}/"
        top, unknown = _top_genres(tracks, hierarchy.roots)
        stated = pd.DataFrame({name: _blank(tracks[column]) for name, column in TEXTS.items()}).assign(
            track_id=[str(each) for each in numbers],
            file=[f"{inside}{each // 1000:03d}/{each:06d}.mp3" for each in numbers],
            genre=top,
            duration=_blank(tracks[DURATION]) if subset == "fma_full" else "",
        )
        settled = settle(stated, today)
        faults = {"unusable_track_ids": int(number.isna().sum()), "unknown_genres": unknown}
        return replace(settled, counts={**settled.counts, **faults}, tops=hierarchy.tops)

    def _subset(self) -> str:
        """Return the name of the subset whose files are in the music folder."""
        if self.music_dir.name in SUBSETS:
            return self.music_dir.name
        here = [name for name in SUBSETS if (self.music_dir / name).is_dir()]
        if len(here) == 1:
            return here[0]
        found = f"{' and '.join(here)}, which have tracks in common" if here else f"none of {', '.join(SUBSETS)}"
        raise CorpusError(f"The folder {self.music_dir} holds {found}. Set SEGUE_MUSIC to one of FMA's folders.")

    def _tracks(self) -> pd.DataFrame:
        path = self.folder / TRACKS
        head = read_csv(path, header=None, nrows=2)
        columns = list(zip(*head.to_numpy(), strict=True))
        wanted = [*TEXTS.values(), DURATION, ROOT, FINE]
        absent = [".".join(name) for name in wanted if name not in columns]
        if absent:
            raise CorpusError(f"{path} lacks the column {', '.join(absent)}. Take it as FMA publishes it.")
        positions = [0, *(columns.index(name) for name in wanted)]
        rows = read_csv(path, header=None, skiprows=HEADER_ROWS, usecols=positions)[positions]
        return rows.set_axis(pd.Index(["track_id", *wanted], tupleize_cols=False), axis=1)


def _blank(texts: pd.Series) -> pd.Series:
    return texts.where(~texts.str.strip().str.lower().isin(NOTHING), "")


def _top_genres(tracks: pd.DataFrame, roots: Mapping[int, str]) -> tuple[list[str], int]:
    """Find each track's top genre, and count the genres that the hierarchy does not know."""
    unknown = 0
    found = []
    for stated, listed in zip(_blank(tracks[ROOT]), tracks[FINE], strict=True):
        genres = _numbers(listed)
        unknown += sum(genre not in roots for genre in genres)
        found.append(stated or _majority([roots[genre] for genre in genres if genre in roots]))
    return found, unknown


def _numbers(listed: str) -> list[int]:
    """Read a list as FMA writes it, such as ``[21, 137]``; anything else counts as empty."""
    try:
        numbers = json.loads(listed)
    except ValueError:
        return []
    return [each for each in numbers if isinstance(each, int)] if isinstance(numbers, list) else []


def _majority(roots: Sequence[str]) -> str:
    """Return the root that occurs most often. Blank if there is none, or a tie."""
    (first, votes), (_, runner_up) = [*Counter(roots).most_common(2), ("", 0), ("", 0)][:2]
    return first if votes > runner_up else ""

"""Where the metadata of a corpus comes from: tags alone, a table, or FMA's own tables.

The audio is a folder of files, or the objects below a URL. A source adds metadata to them. The layout decides
which source is used:

1. a folder with FMA's ``tracks.csv``: ``SEGUE_METADATA``, or ``fma_metadata`` in or beside the music folder;
2. a CSV or Parquet table: ``SEGUE_METADATA``, or ``metadata.csv`` in the music folder;
3. otherwise, the files' tags alone.

A ``genres.csv`` beside the table or in the music folder adds a hierarchy of genres to sources 2 and 3. FMA's
tables have their own hierarchy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from pathlib import Path
from typing import Protocol

from upath import UPath

from segue.corpus.metadata import Metadata
from segue.corpus.sources.fma import TRACKS, FmaMetadata
from segue.corpus.sources.hierarchy import GENRES, read_hierarchy
from segue.corpus.sources.table import MetadataTable
from segue.corpus.sources.tags import TagsOnly
from segue.settings import Settings


class Source(Protocol):
    """Metadata of a corpus; ``str()`` names it for logs and reports."""

    def read(self, today: date) -> Metadata:
        """Read all rows. No `date_created` is later than `today`. Raise `CorpusError` if they cannot be read."""
        ...


@dataclass(frozen=True)
class WithHierarchy:
    """A source and a hierarchy of genres.

    Attributes
    ----------
    source : Source
    path : Path or UPath
        As for `hierarchy.read_hierarchy`.
    """

    source: Source
    path: Path | UPath

    def __str__(self) -> str:
        """Name the source."""
        return f"{self.source}, genres {self.path}"

    def read(self, today: date) -> Metadata:
        """Read the source, and add the top genres of the hierarchy."""
        return replace(self.source.read(today), tops=read_hierarchy(self.path).tops)


def find(settings: Settings) -> Source:
    """Find the source of a corpus by its settings and layout.

    Parameters
    ----------
    settings : Settings

    Returns
    -------
    Source
    """
    music, named = settings.music_dir, settings.metadata
    for folder in [named] if named else [music / "fma_metadata", music.parent / "fma_metadata"]:
        if (folder / TRACKS).is_file():
            return FmaMetadata(folder, music)
    table = named or music / "metadata.csv"
    is_table = named or table.is_file()
    source: Source = MetadataTable(table, settings.metadata_mapping) if is_table else TagsOnly()
    genres = table.parent / GENRES
    return WithHierarchy(source, genres) if genres.is_file() else source

"""A hierarchy of genres, in the form of FMA's ``genres.csv``: one row per genre, with its top genre."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from upath import UPath

from segue.corpus.sources.table import read_csv
from segue.errors import CorpusError

GENRES = "genres.csv"


@dataclass(frozen=True)
class Hierarchy:
    """The top genre of each genre. The top genre of a top genre is itself.

    Attributes
    ----------
    roots : mapping of int to str
        Title of the top genre, by the number of the genre.
    tops : mapping of str to str
        The same, by the title of the genre in lower case. If several genres have the same title, the first counts.
    """

    roots: Mapping[int, str]
    tops: Mapping[str, str]


def read_hierarchy(path: Path | UPath) -> Hierarchy:
    """Read a hierarchy.

    Parameters
    ----------
    path : Path or UPath
        CSV in UTF-8 with the columns ``genre_id``, ``title`` and ``top_level``: the `genre_id` of the top genre.

    Returns
    -------
    Hierarchy

    Raises
    ------
    CorpusError
        If the file cannot be read, lacks a column or a title, or refers to a top genre that it does not contain.
    """
    table = read_csv(path)
    try:
        titles = dict(zip(table["genre_id"].astype(int), table["title"].str.strip(), strict=True))
        roots = {genre: titles[top] for genre, top in zip(titles, table["top_level"].astype(int), strict=True)}
    except (KeyError, ValueError) as error:
        raise CorpusError(
            f"{path} is no table of genres like FMA's: {error}. It needs genre_id, title and top_level, the "
            "genre_id of each genre's top genre. Correct it, or take it away."
        ) from error
    if not all(titles.values()):
        raise CorpusError(f"{path} has a genre without title. Name it, or take its row away.")
    tops: dict[str, str] = {}
    for genre, title in titles.items():
        tops.setdefault(unicodedata.normalize("NFC", title).lower(), roots[genre])
    return Hierarchy(roots, tops)

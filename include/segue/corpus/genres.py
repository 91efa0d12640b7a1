"""Map every spelling of a genre to one name, and each genre to its top genre."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain

from pyspark.sql import Column
from pyspark.sql import functions as sf

ALIASES = {
    "Blues": ("blues",),
    "Classical": ("classic", "classical", "classical music", "klassik"),
    "Country": ("country", "country & western", "country and western"),
    "Drum & Bass": ("dnb", "d&b", "drum and bass", "drum n bass", "drum & bass"),
    "EDM": ("edm",),
    "Electronic": ("electro", "electronic", "electronica"),
    "Folk": ("folk", "folk music"),
    "Hip-Hop": ("hip hop", "hip-hop", "hiphop", "hip hop/rap", "hip-hop/rap", "rap", "rap & hip hop"),
    "Jazz": ("jazz",),
    "Old-Time / Historic": ("old-time / historic", "old time", "old-time"),
    "Lo-Fi": ("lo fi", "lo-fi", "lofi"),
    "Pop": ("pop", "pop music"),
    "R&B": ("r & b", "r and b", "r n b", "r&b", "rnb", "rhythm and blues", "rhythm & blues"),
    "Rock": ("rock", "rock & roll", "rock and roll", "rock n roll"),
    "Soul-RnB": ("soul-rnb", "soul / r&b", "soul/r&b"),
    "Soundtrack": ("ost", "score", "soundtrack"),
    "Synth-Pop": ("synth pop", "synth-pop", "synthpop"),
}
"""Spellings in lower case, by canonical name."""

SEPARATORS = r"[;,/|]"
"""Characters between several genres in one text."""


def canonical(genre: Column) -> Column:
    """Return the canonical name of a genre.

    Parameters
    ----------
    genre : Column of string
        Tidy text, or null.

    Returns
    -------
    Column of string
        The name in `ALIASES`, if the whole text or its first part is one of the spellings. Otherwise the first
        part, each word with a capital letter. Null stays null.
    """
    known = _as_map({spelling: name for name, spellings in ALIASES.items() for spelling in spellings})
    whole = sf.lower(genre)
    first = sf.trim(sf.split(whole, SEPARATORS)[0])
    return sf.coalesce(known[whole], known[first], sf.initcap(sf.when(first != "", first).otherwise(whole)))


def top(genre: Column, tops: Mapping[str, str]) -> Column:
    """Return the top genre of a genre.

    Parameters
    ----------
    genre : Column of string
        Tidy text, or null.
    tops : mapping of str to str
        Top genre by genre, in lower case.

    Returns
    -------
    Column of string
        Top genre of the whole text, or else of its canonical name. Null if the hierarchy has neither.
    """
    if not tops:
        return sf.lit(None).cast("string")
    known = _as_map(tops)
    return sf.coalesce(known[sf.lower(genre)], known[sf.lower(canonical(genre))])


def _as_map(names: Mapping[str, str]) -> Column:
    return sf.create_map(*(sf.lit(text) for text in chain.from_iterable(names.items())))

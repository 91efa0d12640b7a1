"""Map every spelling of a genre to one name, and split a text of several genres."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

from mutagen.id3 import TCON

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

_KNOWN = {spelling: name for name, spellings in ALIASES.items() for spelling in spellings}

NO_GENRES = frozenset(
    {
        *("", "-", "?", "<unknown>", "[unknown]", "default", "genre", "misc", "miscellaneous", "n/a", "no genre"),
        *("none", "not available", "null", "other", "unclassifiable", "unclassified", "undefined", "unknown"),
        *("unknown genre", "unspecified", "various"),
    }
)
"""Texts in lower case that name no genre. Rippers write them for unknown genres. ID3's number 12 is Other."""

MOST_GENRES = 20
"""Number of genres of a track that are kept."""

_BETWEEN_VALUES = re.compile(r"[;|\\\u2022\u00b7\x00]+")
"""Separators of several values. Programs write them, and no genre has them in its name."""

_WITHIN = re.compile(r"[,/]")
"""Separators that may also be in the name of one genre, such as "Hip-Hop/Rap"."""

_NUMBERED = re.compile(r"\d{1,3}|\((?:\d{1,3}|RX|CR)\).*")


def genres(text: str) -> list[str]:
    r"""List the genres of a text.

    Parameters
    ----------
    text : str
        Tidy text, such as ``Rock; Pop``, ``rock\\pop``, ``(17)`` or ``Hip-Hop/Rap, Jazz``.

    Returns
    -------
    list of str
        Canonical names, each once, in the order of the text: the name in `ALIASES`, or else each word with a
        capital letter. ID3's numbers become names. Texts of `NO_GENRES` are left out.

    Examples
    --------
    >>> genres("hip hop/rap; 17"), genres("Unknown Genre")
    (['Hip-Hop', 'Rock'], [])
    """
    found = (canonical(part) for part in _parts(text))
    return list(dict.fromkeys(name for name in found if name))[:MOST_GENRES]


def canonical(genre: str) -> str | None:
    """Return the canonical name of one genre, or None for a text of `NO_GENRES`."""
    lower = genre.strip().lower()
    if lower in NO_GENRES:
        return None
    return _KNOWN.get(lower) or " ".join(word[:1].upper() + word[1:] for word in lower.split(" "))


def top(text: str, tops: Mapping[str, str]) -> str | None:
    """Return the top genre of a text.

    Parameters
    ----------
    text : str
        Tidy text.
    tops : mapping of str to str
        Top genre by genre, in lower case.

    Returns
    -------
    str or None
        Top genre of the whole text, or else of its first genre. None if the hierarchy has neither.
    """
    if (whole := tops.get(text.lower())) is not None:
        return whole
    first = next(iter(genres(text)), "")
    return tops.get(first.lower())


def _parts(text: str) -> Iterator[str]:
    """Yield the genres of a text as they are written."""
    for value in _BETWEEN_VALUES.split(text):
        for name in _named(value.strip()):
            if name.lower() in _KNOWN or name.lower() in NO_GENRES:
                yield name
            else:
                yield from _WITHIN.split(name)


def _named(value: str) -> list[str]:
    """Replace ID3's numbers by names: ``17``, ``(17)``, ``(4)Eurodisco``, ``(51)(39)``."""
    if not _NUMBERED.fullmatch(value):
        return [value]
    return list(TCON(text=[value]).genres)  # type: ignore[no-untyped-call] # mutagen has no types

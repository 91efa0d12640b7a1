"""Normalise artists and titles, so that different spellings of the same recording are equal.

There are two normal forms, because a version suffix sometimes distinguishes two recordings and sometimes does not.
`simple` folds case, accents, punctuation and leading articles. `core` also removes suffixes such as "feat. …",
"- Remastered 2011" and "(Live)".
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

LONGEST_COMPARED = 256
"""Number of characters of a name that are used. No real title is longer, and the cost of a malicious one is
bounded."""

_ARTICLE = re.compile(r"^(?:the|an|a|die|der|das|le|la|les|el|los|las) (?=\S)")
_ARTICLE_LAST = re.compile(r"^(.+), (the|an|a|die|der|das|le|la|les|el|los|las)$", re.IGNORECASE)
_NOT_WORD = re.compile(r"[\W_]+")
_FEATURING = re.compile(r"[\s(\[]+(?:feat|ft|featuring)(?:\.|\b).*$", re.IGNORECASE)
_VERSION_WORDS = (
    r"(?:\d{4} )?(?:digital(?:ly)? )?remaster(?:ed)?(?: version)?(?: \d{4})?|live(?: (?:at|in|from|on)\b.*)?"
    r"|(?:single|album|radio|original|mono|stereo|extended|full length)(?: (?:version|edit|mix))?"
    r"|(?:radio|single) edit|bonus track|deluxe(?: edition| version)?|\d{4} (?:mix|version)"
)
_VERSION_BRACKETED = re.compile(rf"\s*[(\[](?:{_VERSION_WORDS})[)\]]\s*$", re.IGNORECASE)
_VERSION_DASHED = re.compile(rf"\s+[-\u2013\u2014/]\s+(?:{_VERSION_WORDS})\s*$", re.IGNORECASE)


@lru_cache(maxsize=65_536)
def simple(name: str) -> str:
    """Fold differences without meaning: case, accents, script, punctuation, "&", a leading article, spaces.

    Parameters
    ----------
    name
        An artist or a title.

    Returns
    -------
    str
        Lower-case ASCII words separated by single spaces. A name of punctuation only ("???") stays as it is, so
        the result is never empty for a name with a visible character.
    """
    text = anyascii(unicodedata.normalize("NFKC", name[:LONGEST_COMPARED])).casefold().replace("'", "")
    text = _ARTICLE_LAST.sub(r"\2 \1", text.strip())
    words = _NOT_WORD.sub(" ", text.replace("&", " and ").replace("+", " and ")).strip()
    return _ARTICLE.sub("", words) or text.strip()


@lru_cache(maxsize=65_536)
def core(name: str) -> str:
    """Fold as `simple` does, after removing guest artists and suffixes of remasters, live versions and edits.

    Returns
    -------
    str
        The shortest form. It equals `simple` if there is nothing to remove, or nothing would be left.
    """
    text = name[:LONGEST_COMPARED]
    while True:
        shorter = _FEATURING.sub("", _VERSION_DASHED.sub("", _VERSION_BRACKETED.sub("", text)))
        if shorter == text or not shorter.strip():
            return simple(text)
        text = shorter


_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_NUMBER = re.compile(r"\b(?:\d+|[ivx]+)\b")


def numbers(normal: str) -> tuple[str, ...]:
    """Return the numbers in a normal form, Arabic or Roman, sorted: ("2", "3") for "no 2 part iii".

    Titles that differ only in a number ("Symphony No. 1", "Symphony No. 2") are different recordings.
    """
    return tuple(sorted(_ROMAN.get(found, found) for found in _NUMBER.findall(normal)))

"""Normal forms of artist and title: what stays the same when two people write down the same recording.

Two steps, because a version suffix sometimes tells two recordings apart and sometimes does not: :func:`simple`
folds case, accents, punctuation and leading articles; :func:`core` further drops "feat. …", "- Remastered 2011",
"(Live)" and the like.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

LONGEST_COMPARED = 256
"""Characters of a name that count: no real title is longer, and a hostile one costs no more than this."""

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
    """Fold what no listener means: case, accents, script, punctuation, "&", a leading article, spaces.

    Parameters
    ----------
    name
        Artist or title, as written anywhere.

    Returns
    -------
    str
        Lower-case ASCII words with single spaces between. Never empty for a name that has a visible character:
        a title of only punctuation ("???") stays as it is.
    """
    text = anyascii(unicodedata.normalize("NFKC", name[:LONGEST_COMPARED])).casefold().replace("'", "")
    text = _ARTICLE_LAST.sub(r"\2 \1", text.strip())
    words = _NOT_WORD.sub(" ", text.replace("&", " and ").replace("+", " and ")).strip()
    return _ARTICLE.sub("", words) or text.strip()


@lru_cache(maxsize=65_536)
def core(name: str) -> str:
    """Fold as :func:`simple` does, after dropping guests and remaster, live and edit suffixes.

    Returns
    -------
    str
        The shortest form; that of :func:`simple` where there is nothing to drop, or nothing would be left.
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
    """List the numbers in a normal form, Arabic or Roman, sorted: "no 2 part iii" gives ("2", "3").

    Titles that differ in nothing but a number ("Symphony No. 1", "Symphony No. 2") are different recordings.
    """
    return tuple(sorted(_ROMAN.get(found, found) for found in _NUMBER.findall(normal)))

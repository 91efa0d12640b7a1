"""Normalise artists and titles, so that different spellings of the same recording are equal.

There are two normal forms, because a suffix sometimes distinguishes two recordings and sometimes does not.
`simple` folds case, accents, punctuation and leading articles. `core` also removes guest artists and suffixes such
as "- Remastered 2011" and "(Live)". Neither removes suffixes of another performance or mix, such as "[Z Remix]"
and "(Instrumental)". `distinction` is what two titles of one recording must have in common.

These forms are for listens, whose names other people have written. `recording` is for the names of the corpus. It
also keeps remasters and live versions apart.
"""

from __future__ import annotations

import re
import unicodedata
from functools import lru_cache

from anyascii import anyascii

from segue.mojibake import repair

LONGEST_COMPARED = 256
"""Only this many characters of a name are used. No real title is longer, and a malicious one cannot cost much
time."""

_ARTICLE = re.compile(r"^(?:the|an|a|die|der|das|le|la|les|el|los|las) (?=\S)")
_ARTICLE_LAST = re.compile(r"^(.+), (the|an|a|die|der|das|le|la|les|el|los|las)$", re.IGNORECASE)
_WORD = re.compile(r"[^\W_]")
_NOT_WORD = re.compile(r"[\W_]+")

_GUEST = r"(?:feat|ft|featuring)(?:\.|\b)\s*(?!(?:feat|ft|featuring|and)\b|[&+])(?=[^\s()\[\]{}])"
"""Matches "feat" only if the name of a guest follows. So the "Feat" of "Little Feat", "Little Feat & Friends" and
"Little Feat feat. X" stays."""
_GUEST_BRACKETED = re.compile(rf"\s*[(\[{{]\s*{_GUEST}[^()\[\]{{}}]*[)\]}}]", re.IGNORECASE)
_GUEST_MARK = re.compile(rf"[\s(\[{{]+{_GUEST}", re.IGNORECASE)
_GUEST_LAST = re.compile(rf"{_GUEST_MARK.pattern}.*$", re.IGNORECASE)

_SEGMENT = re.compile(
    r"\s*[(\[{]([^()\[\]{}]*)[)\]}]\s*$"
    r"|\s+[-\u2013\u2014/]\s+((?:(?!\s[-\u2013\u2014/]\s)[^()\[\]{}])+)$"
)
"""The last segment of a title: in brackets, or after a dash or slash between blanks."""

_SAME_RECORDING = re.compile(
    r"\s*(?:(?:\d{4} )?(?:digital(?:ly)? )?remaster(?:ed)?(?: version)?(?: \d{4})?|live(?: (?:at|in|from|on)\b.*)?"
    r"|(?:single|album|radio|original|mono|stereo|extended|full length)(?: (?:version|edit|mix))?"
    r"|(?:radio|single) edit|bonus track|deluxe(?: edition| version)?|\d{4} (?:mix|version))\s*",
    re.IGNORECASE,
)
_OTHER_RECORDING = re.compile(
    r"\b(?:re-?mix(?:ed)?|rmx|re-?work(?:ed)?|bootleg|mash-?up|dub|acoustic|unplugged|instrumental|karaoke|demo"
    r"|a ?cappella|acapella|cover|orchestral|symphonic|piano|reprise|rehearsal|outtake|alternat(?:e|ive)|session"
    r"|slowed|sped up|nightcore)\b",
    re.IGNORECASE,
)
_EVERY_COPY = re.compile(
    r"\s*(?:bonus track|deluxe(?: edition| version)?|(?:album|original|full length)(?: (?:version|mix))?)\s*",
    re.IGNORECASE,
)
"""Suffixes of titles that say on which release a copy is. Copies without them have the same sound."""

_NAMELESS = re.compile(
    r"(?:un(?:titled|known|named)|no (?:title|name|artist)|various(?: artists?)?|va|silence"
    r"|(?:unknown|unbekannter?) (?:artist|title|track|kunstler|titel)|(?:audio |data )?track|titel|piste|pista)"
    r"[\d ]*|\d{1,2}"
)
"""Names, as `simple` returns them, that very different recordings have."""

_ARTISTS = re.compile(r"\s*(?:[;\u2022\u00b7|]|\s/\s)\s*")
"""Separators that are never a part of a name. Comma and "&" may be: "Earth, Wind & Fire"."""

_JOINING = frozenset({"and", "vs", "with", "x"})
"""Words that join two artists, if they are neither the first nor the last word."""


@lru_cache(maxsize=65_536)
def simple(name: str) -> str:
    """Fold differences without meaning: case, accents, script, punctuation, "&", a leading article, spaces.

    Text that was decoded with the wrong encoding is repaired if the repair is certain.

    Parameters
    ----------
    name
        An artist or a title.

    Returns
    -------
    str
        Lower-case ASCII words separated by single spaces. A name of signs only ("???", "÷") keeps its signs
        without spaces, so the result is never empty for a name with a visible character.
    """
    composed = unicodedata.normalize("NFKC", repair(name[:LONGEST_COMPARED]))
    if not _WORD.search(composed):
        return "".join(composed.split())
    text = anyascii(composed).casefold().replace("'", "")
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
    return simple(_without_suffixes(name))


@lru_cache(maxsize=65_536)
def stem(title: str) -> str:
    """Fold as `core` does, and also remove the suffixes that `core` keeps: "x" for "X (feat. Y) [Z Remix]"."""
    return simple(_split(title)[0])


@lru_cache(maxsize=65_536)
def artists(name: str) -> tuple[str, ...]:
    """List the artists of a name that has several, such as "Daft Punk; Pharrell Williams feat. Nile Rodgers".

    Returns
    -------
    tuple of str
        The `core` of each, at least one. "Simon & Garfunkel" is one artist.
    """
    parts = [core(part) for part in _ARTISTS.split(name[:LONGEST_COMPARED]) if part.strip()]
    return tuple(dict.fromkeys(parts)) or (core(name),)


@lru_cache(maxsize=65_536)
def words(name: str) -> str:
    """Return the words of an artist in alphabetical order, so that "B & A" equals "A feat. B" and "A; B".

    Returns
    -------
    str
        The words of `simple`, without those that join artists.
    """
    first, *others = simple(_GUEST_MARK.sub(" ", name[:LONGEST_COMPARED])).split(" ")
    joined = [word for word in others[:-1] if word not in _JOINING]
    return " ".join(sorted([first, *joined, *others[-1:]]))


@lru_cache(maxsize=65_536)
def distinction(title: str) -> tuple[str, ...]:
    """Return what distinguishes a title from similar ones of other recordings.

    Returns
    -------
    tuple of str
        Sorted:

        - the numbers, Arabic or Roman: "Symphony No. 1" is not "No. 2";
        - the suffixes that `core` keeps, in brackets or after a dash: "z remix" for "X (feat. Y) [Z Remix]";
        - words such as "instrumental", wherever they are;
        - the whole title, if it has signs only.
    """
    normal = core(title)
    if not _WORD.search(normal):
        return (normal,)
    found = {f"suffix {simple(each)}" for each in _split(title)[1]}
    found |= {f"word {each.lower()}" for each in _OTHER_RECORDING.findall(normal)}
    return (*sorted(found), *sorted(_ROMAN.get(number, number) for number in _NUMBER.findall(normal)))


def recording(artist: str, title: str) -> tuple[str, frozenset[str]] | None:
    """Return what the names of all copies of a recording have in common.

    Parameters
    ----------
    artist, title
        As in the corpus.

    Returns
    -------
    tuple of str and frozenset of str, or None
        The title in the form of `simple`, without guests and suffixes of releases such as "[Bonus Track]".
        Suffixes of versions, such as "(Live)" and "- Remastered 2011", are kept. Then the forms of the artist.
        Copies of a recording have the same title and at least one form in common. None if the names identify
        nothing, such as "[untitled]" by "[unknown]".
    """
    text, kept = _split(title, _EVERY_COPY)
    normal = simple(" ".join((text, *kept)))
    if _NAMELESS.fullmatch(normal) or _NAMELESS.fullmatch(simple(artist)):
        return None
    return normal, frozenset((words(artist), *artists(artist)))


_ROMAN = {"ii": "2", "iii": "3", "iv": "4", "v": "5", "vi": "6", "vii": "7", "viii": "8", "ix": "9"}
_NUMBER = re.compile(r"\b(?:\d+|[ivx]+)\b")


def _without_suffixes(name: str) -> str:
    text, kept = _split(name)
    return text + "".join(f" ({each})" for each in kept)


def _split(name: str, left_out: re.Pattern[str] = _SAME_RECORDING) -> tuple[str, list[str]]:
    """Split a name into its stem and its last segments. Leave out guests, and segments that match a pattern."""
    text, kept = repair(name[:LONGEST_COMPARED]), list[str]()
    while True:
        shorter = _GUEST_BRACKETED.sub("", text)
        if (segment := _SEGMENT.search(shorter)) and segment.start():
            said = _GUEST_LAST.sub("", segment[1] or segment[2] or "")
            shorter = shorter[: segment.start()]
            if _OTHER_RECORDING.search(said) or not left_out.fullmatch(said):
                kept.insert(0, said)
        else:
            shorter = _GUEST_LAST.sub("", shorter)
        if shorter == text or not shorter.strip():
            return text, kept
        text = shorter

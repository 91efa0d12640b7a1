"""The scores of the sample corpus: those of the PyPI package music21, sorted into eight genres.

Only headers are read here, no notes, so the whole catalogue of about 6,000 scores takes a second.

The artist comes from the file: it is the composer or collector of a tune, or the region of a folk song. If one
composer wrote a whole genre, the artist is a group of works. No artist is invented. Every genre has several
artists, so that it can be split by artist.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Genre:
    """A genre of the sample corpus: its name, its folder, and the values that all its tracks share."""

    name: str
    folder: str
    type: str
    language: str


GENRES = (
    Genre("Reel", "Reels", "instrumental", "en"),
    Genre("Jig", "Jigs", "instrumental", "en"),
    Genre("Hornpipe", "Hornpipes", "instrumental", "en"),
    Genre("Air", "Airs of Éire", "instrumental", "en"),
    Genre("Chorale", "Choräle", "choral", "de"),
    Genre("Mass", "Masses", "choral", "la"),
    Genre("German Folk Song", "Deutsche Volkslieder", "song", "de"),
    Genre("Chinese Folk Song", "汉族民歌", "song", "zh"),
)


@dataclass(frozen=True)
class Collection:
    """The source of a score, and its terms."""

    name: str
    licence: str


_MUSIC21 = "music in the public domain, encoding distributed by music21 with its encoder's permission"
RYAN = Collection("Ryan's Mammoth Collection (1883)", _MUSIC21)
ONEILL = Collection("O'Neill's Music of Ireland (1903)", _MUSIC21)
BACH = Collection("Bach chorales", _MUSIC21)
PALESTRINA = Collection(
    "Palestrina masses",
    "music in the public domain, encoding © 2000 John Miller, all derivative electronic formats reserved: "
    "not for redistribution",
)
ESSEN = Collection(
    "Essen folk song collection",
    "traditional, encoding distributed by music21 with permission for non-commercial use",
)


@dataclass(frozen=True)
class Score:
    """One score of the catalogue.

    Attributes
    ----------
    path
        File inside music21's corpus, with forward slashes.
    tune
        Position of the tune in the file, counted from 0. ABC files have up to 700 tunes.
    """

    path: str
    tune: int
    genre: str
    title: str
    artist: str
    collection: Collection


def catalogue(folder: Path) -> dict[str, list[Score]]:
    """List the scores of every genre, always in the same order.

    Parameters
    ----------
    folder
        Corpus folder of music21, see `segue.demo.material.corpus_dir`.

    Returns
    -------
    dict of str to list of Score
        Keys are the names of `GENRES`.
    """
    scores: dict[str, list[Score]] = {genre.name: [] for genre in GENRES}
    for collect in (_ryan, _oneill, _bach, _palestrina, _german, _chinese):
        for score in collect(folder):
            scores[score.genre].append(score)
    return scores


def tunes(text: str) -> list[str]:
    """Split an ABC file into its tunes, each beginning with its ``X:`` field."""
    return [part for part in re.split(r"(?m)^(?=X:)", text) if part.startswith("X:")]


def _field(tune: str, letter: str) -> str:
    found = re.search(rf"(?m)^{letter}:[ \t]*(.*?)[ \t]*$", tune)
    return found.group(1) if found else ""


def _tidy(text: str) -> str:
    text = re.sub(r"\s+", " ", text).strip(' ."')
    return string.capwords(text) if text.isupper() else text


def _person(name: str) -> str:
    """Normalise a name: ``HARRY CARLETON.`` becomes ``Harry Carleton``, ``F.o'Neill`` becomes ``F. O'Neill``."""
    name = _tidy(name.replace(".", ". "))
    return re.sub(r"\b\w'\w", lambda letters: letters.group().upper(), name)


def _abc(folder: Path, pattern: str) -> Iterator[tuple[str, int, str]]:
    """Yield the path, the position and the text of every tune in the files that match."""
    for file in sorted(folder.glob(pattern)):
        path = file.relative_to(folder).as_posix()
        for position, tune in enumerate(tunes(file.read_text(encoding="utf-8", errors="replace"))):
            yield path, position, tune


_DANCES = {"reel": "Reel", "jig": "Jig", "double jig": "Jig", "hornpipe": "Hornpipe"}


def _ryan(folder: Path) -> Iterator[Score]:
    for path, position, tune in _abc(folder, "ryansMammoth/*.abc"):
        genre = _DANCES.get(_field(tune, "R").lower())
        if genre is None:
            continue
        composer = _person(_field(tune, "C"))
        known = re.fullmatch(r"[A-Za-z][A-Za-z.' ]+", composer) and composer not in {"Scotch", "Trad"}
        title = _tidy(_field(tune, "T").split("--")[0])
        yield Score(path, position, genre, title, composer if known else "Ryan's Mammoth Collection", RYAN)


def _oneill(folder: Path) -> Iterator[Score]:
    seen = set()
    for path, position, tune in _abc(folder, "oneills1850/*.abc"):
        number = int(re.sub(r"\D", "", _field(tune, "X")))
        # The book begins with 625 airs. Some files overlap; the same number is the same tune.
        genre = "Air" if number <= 625 else _DANCES.get(_field(tune, "R").lower())
        if genre is None or number in seen:
            continue
        seen.add(number)
        collector = re.search(r"(?i)collected by\s+([A-Z][^\"\n]*)", tune)
        artist = _person(collector.group(1)) if collector else "O'Neill's Music of Ireland"
        yield Score(path, position, genre, _tidy(_field(tune, "T")), artist, ONEILL)


def _bach(folder: Path) -> Iterator[Score]:
    for file in sorted(folder.glob("bach/bwv*.mxl")):
        number = int(re.match(r"bwv(\d+)", file.name).group(1))  # type: ignore[union-attr]
        if number > 438:  # higher numbers are preludes and fugues
            continue
        # One composer wrote the whole genre, so the groups are those of the catalogue of his works.
        group = "cantatas" if number < 225 else "motets and passions" if number < 250 else "four-part chorales"
        low = number // 25 * 25
        artist = f"J. S. Bach ({group}, BWV {max(low, 1)}-{min(low + 24, 438)})"
        title = f"Chorale BWV {file.stem.removeprefix('bwv')}"
        yield Score(f"bach/{file.name}", 0, "Chorale", title, artist, BACH)


def _palestrina(folder: Path) -> Iterator[Score]:
    for file in sorted(folder.glob("palestrina/*.krn")):
        text = file.read_text(encoding="utf-8", errors="replace")
        head = dict(re.findall(r"(?m)^!!!(\w+):[ \t]*(.*?)[ \t]*$", text))
        title = ", ".join(dict.fromkeys(head[key] for key in ("OMD", "OTL") if key in head))
        artist = f"G. P. da Palestrina ({head['OPR']})"
        yield Score(f"palestrina/{file.name}", 0, "Mass", title, artist, PALESTRINA)


def _essen(folder: Path, pattern: str, genre: str, region: str) -> Iterator[Score]:
    for path, position, tune in _abc(folder, f"essenFolksong/{pattern}"):
        place = re.match(region, _field(tune, "O"))
        title = re.sub(r",?\s*(\(Band \d+\),?)?\s*S\. ?\d.*$", "", _field(tune, "T"))
        if place and title:
            yield Score(path, position, genre, _tidy(title), f"Traditional, {place.group(1)}", ESSEN)


def _german(folder: Path) -> Iterator[Score]:
    # Only songs whose region is stated: "Europa, Mitteleuropa, Deutschland, Westfalen, Muenster".
    region = r"Europa, Mitteleuropa, Deutschland, ([A-Z]\w+)"
    for pattern in ("boehme*.abc", "dva*.abc", "erk*.abc", "fink*.abc", "kinder*.abc", "zuccal*.abc"):
        yield from _essen(folder, pattern, "German Folk Song", region)


def _chinese(folder: Path) -> Iterator[Score]:
    yield from _essen(folder, "han*.abc", "Chinese Folk Song", r"China, ?(?:[a-z]+ )?([A-Z][a-z]+)")

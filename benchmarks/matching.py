"""Measure the matching of listens: precision, recall and CPU time on a perturbed catalogue.

    .venv/bin/python benchmarks/matching.py [--tracks 100000] [--listens 20000] [--seed 1]

The catalogue is made up, because no real catalogue of that size may be shipped. It has Zipf-distributed words,
artists with many tracks, titles that many artists share, numbered parts, titles of signs only, Russian names,
tracks tagged with several artists, and remixes, instrumentals and the like beside or instead of the originals.
Six in ten listens are a track of the catalogue as another player would write it, with one to three perturbations.
The others are tracks that the catalogue lacks: another title of a known artist, a known title by another artist,
another version of a known track, or the original of a known version.
"""

from __future__ import annotations

import argparse
import random
import re
import time
from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console
from rich.table import Table

from segue.listens.matching import CatalogueEntry, Method, TrackIndex
from segue.tracks import names

WORDS = """
love night heart blue time day dance fire world life dream girl rain moon home light road river
summer song baby man woman sun sky star water wind king queen city street train black white red gold
silver green eyes hands never always only one two little big old new young lost last first good bad
sweet cold hot wild free alone together forever tonight tomorrow yesterday morning evening winter
spring autumn sea ocean mountain stone glass mirror shadow ghost angel devil heaven hell war peace
money power glory truth lie fool stranger friend mother father brother sister lady boy soul body
mind voice silence noise machine radio television telephone letter story waltz march prelude
nocturne sonata quartet minuet ballad hymn carol reel jig hornpipe polka rag blues
""".split()  # noqa: SIM905 - a list of 130 lines reads worse
ACCENTS = {"a": "áàâäåã", "e": "éèêë", "i": "íîï", "o": "óôöø", "u": "úûü", "n": "ñ", "c": "ç", "s": "š", "z": "ž"}
RUSSIAN = """
кино группа крови звезда имени солнце аквариум город золотой песня ночь любовь дорога ветер река осень
весна время небо земля сердце окно дождь снег огонь вода поезд утро вечер музыка танец слово друг
""".split()  # noqa: SIM905 - as above
SIGNS = ("( )", "???", "!!!", "...", "÷", "∞", "=", "+", "-", "?", "★", "♥", "†", "%", "@", "####")
NEGATIVE_SHARE = 0.4
VERSION_SHARE = 0.2
VERSION = re.compile(
    r" (?:[(\[][^()\[\]]*(?:Remix|Mix|Instrumental|Acoustic|Demo)[)\]]|- .*(?:Remix|Instrumental|Version))$"
)
THRESHOLDS = (74, 78, 80, 82, 84, 86, 88, 90, 92, 94)


@dataclass(frozen=True)
class Query:
    """A listen and the correct track ids; none if the catalogue lacks the track."""

    artist: str
    title: str
    right: frozenset[str]
    kind: str


class Maker:
    """Makes random names from a seed."""

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)
        syllables = [c + v + e for c in "bdfgklmnprstvz" for v in "aeiou" for e in ("", "n", "r", "l", "s", "th")]
        self.invented = [
            "".join(self.random.choices(syllables, k=self.random.choice((2, 2, 3)))) for _ in range(9_000)
        ]
        self.weights = [1 / (rank + 3) for rank in range(len(WORDS))]

    def word(self) -> str:
        """Make a word."""
        if self.random.random() < 0.35:
            return self.random.choice(self.invented).title()
        return self.random.choices(WORDS, self.weights)[0].title()

    def russian(self) -> str:
        """Make a Russian name."""
        return " ".join(self.random.choices(RUSSIAN, k=self.random.choice((1, 2, 2, 3)))).title()

    def version(self) -> str:
        """Make a suffix of another recording of the same piece."""
        who = self.random.choice(self.invented).title()
        kinds = (f" ({who} Remix)", f" [{who} Remix]", f" - {who} Remix", " (Instrumental)", " - Instrumental")
        others = (" - Live Acoustic Version", " (Acoustic)", " (Demo)", " - Karaoke Version", f" ({who} Mix)")
        return self.random.choice(kinds + others)

    def artist(self) -> str:
        """Make an artist's name."""
        shape = self.random.random()
        if shape < 0.02:
            return self.russian()
        if shape < 0.03:
            return f"{self.random.choice(self.invented).title()} Feat"
        if shape < 0.5:
            name = " ".join(self.random.choice(self.invented).title() for _ in range(2))
        elif shape < 0.75:
            name = "The " + " ".join(self.word() for _ in range(self.random.choice((1, 2))))
        else:
            name = " & ".join(self.random.choice(self.invented).title() for _ in range(2))
        return self.accented(name) if self.random.random() < 0.15 else name

    def title(self) -> str:
        """Make a title."""
        shape = self.random.random()
        if shape < 0.005:
            return self.random.choice(SIGNS)
        if shape < 0.025:
            return self.russian()
        words = " ".join(self.word() for _ in range(self.random.choice((1, 1, 2, 2, 3, 3, 4, 5))))
        if shape < 0.1:
            return f"{words} No. {self.random.randint(1, 12)}"
        if shape < 0.14:
            return f"{words}, Part {self.random.choice(('I', 'II', 'III', 'IV'))}"
        return self.accented(words) if shape > 0.9 else words

    def accented(self, text: str) -> str:
        """Put accents on some letters."""
        return "".join(
            self.random.choice(ACCENTS[c]) if c in ACCENTS and self.random.random() < 0.3 else c for c in text
        )

    def typo(self, text: str) -> str:
        """Make one typing error."""
        if len(text) < 4:
            return text
        at = self.random.randrange(1, len(text) - 1)
        return self.random.choice(
            (
                text[:at] + text[at + 1 :],
                text[:at] + self.random.choice("abcdefghijklmnopqrstuvwxyz") + text[at + 1 :],
                text[:at] + text[at + 1] + text[at] + text[at + 2 :],
                text[:at] + text[at] + text[at:],
            )
        )


def catalogue(maker: Maker, tracks: int) -> list[CatalogueEntry]:
    """Make the catalogue."""
    artists = [maker.artist() for _ in range(max(1, tracks // 12))]
    common = [maker.title() for _ in range(500)]
    entries: list[CatalogueEntry] = []
    while len(entries) < tracks:
        artist = maker.random.choice(artists)
        if maker.random.random() < 0.05:
            artist = "; ".join([artist, *maker.random.sample(artists, maker.random.choice((1, 2)))])
        title = maker.random.choice(common) if maker.random.random() < 0.05 else maker.title()
        shape = maker.random.random()
        titles = [title]
        if shape < 0.03:
            titles = [title, f"{title} (Live)"]
        elif shape < 0.06:
            titles = [title, title + maker.version()]
        elif shape < 0.09:
            titles = [title + maker.version()]
        entries += [CatalogueEntry(f"t{len(entries) + n:06}", artist, each) for n, each in enumerate(titles)]
    return entries[:tracks]


def perturbations(maker: Maker) -> dict[str, Callable[[str, str], tuple[str, str]]]:
    """List the ways in which players write the same recording differently."""
    choice = maker.random.choice
    return {
        "case": lambda a, t: (choice((a.upper(), a.lower())), choice((t.lower(), t.upper(), t.title()))),
        "no accents": lambda a, t: (names.anyascii(a), names.anyascii(t)),
        "guest": lambda a, t: (a, f"{t} {choice(('feat.', 'ft.', '(feat.'))} {maker.artist()}"),
        "guest of artist": lambda a, t: (f"{a} {choice(('feat.', 'featuring'))} {maker.artist()}", t),
        "remaster": lambda a, t: (a, t + choice((" - Remastered 2011", " (Remastered)", " - 2009 Remaster"))),
        "edit": lambda a, t: (a, t + choice((" - Radio Edit", " [Album Version]", " (Mono)"))),
        "article": lambda a, t: (a[4:] if a.startswith("The ") else f"The {a}", t),
        "and": lambda a, t: (a.replace("&", "and"), t.replace("&", "and")),
        "typo in title": lambda a, t: (a, maker.typo(t)),
        "typo in artist": lambda a, t: (maker.typo(a), t),
        "two typos": lambda a, t: (maker.typo(a), maker.typo(t)),
        "name turned": lambda a, t: (", ".join(reversed(a.split(" ", 1))) if " " in a else a, t),
        "punctuation": lambda a, t: (a, t.replace(" ", choice(("  ", "-", "_")))),
        "one of several artists": lambda a, t: (choice(a.split("; ")), t),
        "artists joined": lambda a, t: (joined(maker, a), t),
        "guest in brackets": lambda a, t: (a, f"{t} (feat. {maker.artist()})"),
        "wrong encoding": lambda a, t: (misread(a), misread(t)),
    }


def joined(maker: Maker, artist: str) -> str:
    """Write several artists as a player does: "A & B", in any order, or "A feat. B & C"."""
    artists = artist.split("; ") if ";" in artist else artist.split(" & ")
    if len(artists) == 1:
        return artist
    if maker.random.random() < 0.5:
        return f"{artists[0]} feat. {' & '.join(artists[1:])}"
    return " & ".join(maker.random.sample(artists, len(artists)))


def misread(text: str) -> str:
    """Decode a text with the wrong encoding: UTF-8 as cp1252, or Russian cp1251 as cp1252."""
    try:
        if re.fullmatch(r"[\u0410-\u044f ]+", text) and len(max(text.split(), key=len)) > 3:
            return text.encode("cp1251").decode("cp1252")
        return text.encode().decode("cp1252")
    except UnicodeDecodeError:
        return text


def missing(maker: Maker, entries: list[CatalogueEntry], known: set[tuple[str, str]]) -> Query | None:
    """Make a listen of a track that the catalogue lacks; return None if it happens to have it."""
    entry, other = maker.random.sample(entries, 2)
    artist, title, kind = entry.artist, entry.title, "not in the catalogue"
    share = maker.random.random()
    if share < VERSION_SHARE:
        kind, title = "another version", title if VERSION.search(title) else title + maker.version()
    elif share < 2 * VERSION_SHARE:
        kind, title = "the original of a version", VERSION.sub("", title)
    elif share < 0.75:
        title = maker.title()
    else:
        artist = other.artist
    forms = {(names.core(each), names.core(title)) for each in (artist, *artist.split("; "))}
    return None if forms & known else Query(artist, title, frozenset(), kind)


def queries(maker: Maker, entries: list[CatalogueEntry], count: int) -> list[Query]:
    """Make the listens."""
    ways = perturbations(maker)
    groups: dict[tuple[str, str], set[str]] = {}
    for entry in entries:
        for artist in {entry.artist, *entry.artist.split("; ")}:
            groups.setdefault((names.core(artist), names.core(entry.title)), set()).add(entry.track_id)
    known, made = set(groups), list[Query]()
    while len(made) < count:
        if maker.random.random() < NEGATIVE_SHARE:
            query = missing(maker, entries, known)
            if query is None:
                continue
        else:
            entry = maker.random.choice(entries)
            right = frozenset(groups[names.core(entry.artist), names.core(entry.title)])
            query = Query(entry.artist, entry.title, right, "")
        found = VERSION.search(query.title)
        suffix = found[0] if found else ""  # players take it from a catalogue, and never mistype it
        artist, title = query.artist, query.title.removesuffix(suffix)
        chosen = maker.random.sample(list(ways), maker.random.choice((1, 1, 2, 3)))
        for way in chosen:
            artist, title = ways[way](artist, title)
        kind = query.kind or (chosen[0] if len(chosen) == 1 else "several")
        made.append(Query(artist, title + suffix, query.right, kind))
    return made


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tracks", type=int, default=100_000)
    parser.add_argument("--listens", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    console, maker = Console(highlight=False), Maker(arguments.seed)
    entries = catalogue(maker, arguments.tracks)
    listens = queries(maker, entries, arguments.listens)
    began = time.process_time()
    index = TrackIndex(entries, threshold=min(THRESHOLDS))
    console.print(f"Index of {len(index):,} tracks: {time.process_time() - began:.1f} CPU-seconds")

    for cache in (names.simple, names.core, names.artists, names.words, names.stem, names.distinction):
        cache.cache_clear()
    began = time.process_time()
    found = [index.match(query.artist, query.title) for query in listens]
    each_us = (time.process_time() - began) / len(listens) * 1e6
    exact = [m is not None and m.method is Method.NAME for m in found]
    console.print(f"{len(listens):,} listens, {sum(exact):,} of them exact: {each_us:.0f} CPU-µs each")

    table = Table("threshold", "precision", "recall", "F1", title=f"All listens (seed {arguments.seed})")
    positives = sum(bool(query.right) for query in listens)
    for threshold in THRESHOLDS:
        answered = [(m, q) for m, q in zip(found, listens, strict=True) if m is not None and m.score >= threshold]
        correct = sum(m.track_id in q.right for m, q in answered)
        precision, recall = correct / max(1, len(answered)), correct / positives
        f1 = 2 * precision * recall / (precision + recall)
        table.add_row(str(threshold), f"{precision:.4f}", f"{recall:.4f}", f"{f1:.4f}")
    console.print(table)

    chosen = TrackIndex([]).threshold
    by_kind = Table("written differently", "listens", "right", "wrong", "none", title=f"At threshold {chosen:g}")
    for kind in sorted({query.kind for query in listens}):
        mine = [
            (m if m and m.score >= chosen else None, q)
            for m, q in zip(found, listens, strict=True)
            if q.kind == kind
        ]
        right = sum(m.track_id in q.right for m, q in mine if m)
        none = sum(m is None for m, _ in mine)
        by_kind.add_row(kind, str(len(mine)), str(right), str(len(mine) - right - none), str(none))
    console.print(by_kind)


if __name__ == "__main__":
    main()

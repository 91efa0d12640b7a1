"""Match a listen with a track of the corpus: by id, otherwise by equal names, otherwise by similar names.

A track that is tagged with several artists is indexed under all of them together and under each of them alone.

The index is an object in memory, built from the catalogue. Hash tables find equal ids and names. For similar
names, an inverted index of trigrams proposes candidates: the entries that share the rarest trigrams of the listen.
Only these few candidates are compared with rapidfuzz, never the whole catalogue.
"""

from __future__ import annotations

from array import array
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz

from segue.listens.lookup import Lookup
from segue.tracks import names

THRESHOLD = 84.0
"""Smallest similarity, 0 to 100, of an accepted fuzzy match. ``benchmarks/matching.py`` determined it."""

MAX_TRIGRAMS = 14
"""Number of trigrams of a listen that are looked up, the rarest ones."""

MAX_CANDIDATES = 24
"""Number of catalogue entries that are compared in full: those that share the most of these trigrams."""

MAX_POSTING_ENTRIES = 20_000
"""A trigram that is in more entries is looked up only if the listen has no rarer one."""


class Method(StrEnum):
    """How a listen was matched with its track, from the most to the least reliable method."""

    ID = "id"
    MBID = "mbid"
    NAME = "name"
    FUZZY = "fuzzy"


@dataclass(frozen=True, slots=True)
class CatalogueEntry:
    """The fields of a track that the index needs."""

    track_id: str
    artist: str
    title: str
    recording_mbid: str | None = None
    duration_s: float | None = None


@dataclass(frozen=True, slots=True)
class Match:
    """A track of the corpus, the method that found it, and the similarity of the names (100 unless fuzzy)."""

    track_id: str
    method: Method
    score: float = 100.0


class TrackIndex:
    """An immutable index of the catalogue. When the corpus grows, a new index is built.

    Parameters
    ----------
    entries
        The catalogue. If several tracks have the same names, a listen matches the one with the smallest track id.
    threshold
        Smallest similarity of a fuzzy match, 0 to 100.
    """

    def __init__(self, entries: Iterable[CatalogueEntry], threshold: float = THRESHOLD) -> None:
        self.threshold = threshold
        listed = sorted(entries, key=lambda entry: entry.track_id)
        self._track_ids = [entry.track_id for entry in listed]
        self._ids = Lookup(self._track_ids)
        self._durations_s = array("f", (entry.duration_s or 0.0 for entry in listed))
        identified = [number for number, entry in enumerate(listed) if entry.recording_mbid]
        self._mbids = Lookup([str(listed[number].recording_mbid).lower() for number in identified], identified)
        named = [number for number, entry in enumerate(listed) if entry.artist and entry.title]
        forms = _ArtistForms()
        titles = {number: names.core(listed[number].title) for number in named}
        core: dict[tuple[str, str], int] = {}
        for number in named:
            core.setdefault((forms.core(listed[number].artist), titles[number]), number)
        for number in named:
            for artist in forms.each(listed[number].artist):
                core.setdefault((artist, titles[number]), number)
        simple = ((forms.simple(listed[number].artist), names.simple(listed[number].title)) for number in named)
        words = ((forms.words(listed[number].artist), titles[number]) for number in named)
        self._simple, self._words = Lookup(simple, named), Lookup(words, named)
        self._names = list(core)
        self._distinctions = [names.distinction(listed[number].title) for number in core.values()]
        self._stems = [names.stem(listed[number].title) for number in core.values()]
        self._tracks = np.fromiter(core.values(), dtype=np.int32, count=len(core))
        self._core = Lookup(self._names)
        self._postings = _postings(self._names)

    def __len__(self) -> int:
        """Return the number of tracks."""
        return len(self._track_ids)

    def duration_s(self, track_id: str) -> float | None:
        """Return the length of a track in seconds, or None if it is not known."""
        number = self._ids.get(track_id)
        return None if number is None else self._durations_s[number] or None

    def match(
        self, artist: str, title: str, *, recording_mbid: str | None = None, track_id: str | None = None
    ) -> Match | None:
        """Find the track of a listen.

        Parameters
        ----------
        artist, title
            As the player sent them.
        recording_mbid
            MusicBrainz recording id, if the player knows it.
        track_id
            Segue's own id, if the player knows it.

        Returns
        -------
        Match or None
            None if no track is similar enough.
        """
        if track_id and self._ids.get(track_id) is not None:
            return Match(track_id, Method.ID)
        if recording_mbid and (same := self.of_recording(recording_mbid)):
            return same
        found = self._equal(artist, title)
        if found is not None:
            return Match(self._track_ids[found], Method.NAME)
        return self._similar(names.core(artist), title)

    def of_recording(self, mbid: str) -> Match | None:
        """Find the track with the MBID of a recording."""
        found = self._mbids.get(mbid.lower())
        return None if found is None else Match(self._track_ids[found], Method.MBID)

    def _equal(self, artist: str, title: str) -> int | None:
        """Find a track with equal names. The least changed form of the names is looked up first."""
        core = names.core(title)
        found = self._simple.get((names.simple(artist), names.simple(title)))
        for form in dict.fromkeys((names.core(artist), *names.artists(artist)[:1])):
            if found is None and (named := self._core.get((form, core))) is not None:
                found = int(self._tracks[named])
        return self._words.get((names.words(artist), core)) if found is None else found

    def _similar(self, artist: str, title: str) -> Match | None:
        distinction, stem = names.distinction(title), names.stem(title)
        best, best_score = None, self.threshold
        for candidate in self._candidates(artist, names.core(title)):
            if self._distinctions[candidate] != distinction:
                continue
            # The suffixes are equal here. Titles are compared without them, because a long suffix would make all
            # titles similar.
            score = similarity((artist, stem), (self._names[candidate][0], self._stems[candidate]))
            if score >= best_score:
                best, best_score = candidate, score
        if best is None:
            return None
        return Match(self._track_ids[self._tracks[best]], Method.FUZZY, round(best_score, 1))

    def _candidates(self, artist: str, title: str) -> list[int]:
        known = [self._postings[gram] for gram in trigrams(artist, title) if gram in self._postings]
        known.sort(key=len)
        rare = [posting for posting in known[:MAX_TRIGRAMS] if len(posting) <= MAX_POSTING_ENTRIES] or known[:1]
        if not rare:
            return []
        found, shared = np.unique(np.concatenate(rare), return_counts=True)
        most = np.argsort(-shared, kind="stable")[:MAX_CANDIDATES]
        return [int(entry) for entry in found[most]]


class _ArtistForms:
    """The normal forms of artists. All tracks of an artist share the same strings."""

    def __init__(self) -> None:
        self.simple, self.core, self.words = cache(names.simple), cache(names.core), cache(names.words)
        self.each = cache(names.artists)


def similarity(one: tuple[str, str], other: tuple[str, str]) -> float:
    """Compare two (artist, title) pairs of normal forms.

    Returns
    -------
    float
        Mean of the similarities of the artists and of the titles, 0 to 100. The lower of the two counts double, so
        an equal artist does not make up for a wrong title.
    """
    artist = max(fuzz.ratio(one[0], other[0]), fuzz.token_sort_ratio(one[0], other[0]))
    title = max(fuzz.ratio(one[1], other[1]), fuzz.token_sort_ratio(one[1], other[1]))
    low, high = sorted((artist, title))
    return float(2 * low + high) / 3


def trigrams(artist: str, title: str) -> set[str]:
    """Return the trigrams of normal forms, padded with blanks. Trigrams of the artist are marked with "@"."""
    grams = set()
    for mark, text in (("@", artist), ("", title)):
        padded = f" {text} "
        grams |= {mark + padded[i : i + 3] for i in range(len(padded) - 2)}
    return grams


def _postings(entries: list[tuple[str, str]]) -> dict[str, NDArray[np.int32]]:
    postings: defaultdict[str, array[int]] = defaultdict(lambda: array("i"))
    for number, (artist, title) in enumerate(entries):
        for gram in trigrams(artist, title):
            postings[gram].append(number)
    return {gram: np.frombuffer(numbers, dtype=np.int32) for gram, numbers in postings.items()}

"""The rules of every playlist: no recording twice, few tracks by one artist, nothing hated or skipped lately.

Each playlist is chosen from a pool of candidates to which `keep` was applied. Any part of such a pool, in any
order, obeys the rules too. So no later step can break them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Final

from segue.listens.history import History
from segue.playlists.library import Library, Track
from segue.recommender.serving.rules import DAY_S

ARTIST_SHARE: Final = 0.1
"""Largest share of a playlist's tracks by one artist. One track is always allowed."""

CANDIDATES: Final = 4
"""So many times the wanted number of tracks are candidates for `first`, because the rules leave some out."""

SKIPPED_DAYS: Final = 30
"""A track that was skipped within so many days is left out."""


def per_artist(count: int) -> int:
    """Return how many tracks of a playlist of `count` tracks may be by one artist."""
    return max(1, int(count * ARTIST_SHARE))


def keep(
    candidates: Iterable[Track], count: int, barred: frozenset[str] = frozenset(), given: Sequence[Track] = ()
) -> list[Track]:
    """Keep the candidates that a playlist may contain together.

    Parameters
    ----------
    candidates : iterable of Track
        Best first.
    count : int
        Length of the playlist, which decides how many tracks may be by one artist. If all candidates are by one
        artist, there is no limit: the corpus may have no other.
    barred : frozenset of str
        From `barred_for`.
    given : sequence of Track
        Tracks that the playlist has in any case, such as the two ends of a path. They count for the limits.

    Returns
    -------
    list of Track
        In the order of `candidates`, without `given`.
    """
    candidates = list(candidates)
    artists = {each.artist.casefold() for each in (*given, *candidates)} - {""}
    limit = per_artist(count) if len(artists) > 1 else len(candidates) + len(given)
    recordings = {each.recording for each in given}
    by_artist = Counter(each.artist.casefold() for each in given)
    kept = []
    for track in candidates:
        artist = track.artist.casefold()
        if track.recording in recordings or (artist and by_artist[artist] >= limit):
            continue
        if barred and not barred.isdisjoint(track.ids):
            continue
        recordings.add(track.recording)
        by_artist[artist] += 1
        kept.append(track)
    return kept


def first(candidates: Iterable[Track], count: int, barred: frozenset[str] = frozenset()) -> list[Track]:
    """Return the best `count` candidates that may be together; see `keep`."""
    return keep(candidates, count, barred)[:count]


def skipped_lately(history: History, now: float) -> set[str]:
    """Return the tracks that a listener has skipped in the last `SKIPPED_DAYS` days."""
    since = now - SKIPPED_DAYS * DAY_S
    return {track for track, times in history.skips.items() if max(times, default=0) > since}


def barred_for(library: Library, history: History, hated: Iterable[str], now: float) -> frozenset[str]:
    """Return the ids of tracks and recordings that a listener hates, or has skipped lately.

    Parameters
    ----------
    library : Library
    history : History
    hated : iterable of str
        From `segue.recommender.serving.lists.hated_by`.
    now : float
        Seconds since 1970.
    """
    barred = {*hated, *skipped_lately(history, now)}
    return frozenset(barred | {track.recording for track in library.tracks(sorted(barred)).values()})

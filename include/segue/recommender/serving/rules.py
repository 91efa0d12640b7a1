"""Rules for a list. Each is a function that is applied before or after the tracks are ranked."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

import numpy as np
from numpy.typing import NDArray

DAY_S = 86_400


def not_played_recently(
    tracks: NDArray[np.int64], last_played: NDArray[np.int64], now: float, days: float
) -> NDArray[np.int64]:
    """Return the tracks that were played in the last `days` days.

    Parameters
    ----------
    tracks : ndarray of int, shape (n_played,)
        Positions.
    last_played : ndarray of int, shape (n_played,)
        Seconds since 1970.
    now : float
        Seconds since 1970.
    days : float

    Returns
    -------
    ndarray of int
        Positions of tracks that must not be recommended.
    """
    return tracks[last_played > now - days * DAY_S]


def at_most_per_artist(ordered: Iterable[int], artists: NDArray[np.integer[Any]], limit: int) -> Iterator[int]:
    """Yield the tracks in their order, but at most `limit` by one artist.

    Parameters
    ----------
    ordered : iterable of int
        Positions, best first.
    artists : ndarray of int, shape (n_tracks,)
        Number of each track's artist; -1 for an unknown artist, who has no limit.
    limit : int
    """
    seen: dict[int, int] = {}
    for track in ordered:
        artist = int(artists[track])
        seen[artist] = seen.get(artist, 0) + 1
        if artist < 0 or seen[artist] <= limit:
            yield track


def mix(new: Iterable[int], familiar: Iterable[int], *, count: int, discover: float) -> list[int]:
    """Interleave new and familiar tracks. At every point of the list, the tracks so far have the wanted share.

    Parameters
    ----------
    new, familiar : iterable of int
        Positions, best first.
    count : int
        Length of the result, if there are enough tracks.
    discover : float
        Share of new tracks, from 0 to 1. If there are too few tracks of one kind, the other kind takes their
        places.
    """
    sources = {True: iter(new), False: iter(familiar)}
    mixed: list[int] = []
    taken = 0
    while len(mixed) < count:
        wants_new = taken < round(discover * (len(mixed) + 1))
        for kind in (wants_new, not wants_new):
            found = list(islice(sources[kind], 1))
            if found:
                mixed += found
                taken += kind
                break
        else:
            break
    return mixed

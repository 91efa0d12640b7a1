"""When listeners played tracks: what popularity and transitions need to know about time."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

DAY_S = 86_400

SESSION_GAP_S = 30 * 60
"""A play that begins later than this after the begin of the one before it starts a new session."""


@dataclass(frozen=True)
class LastPlays:
    """When each listener last played each track.

    Parameters
    ----------
    track : ndarray of int, shape (n_pairs,)
        Track of each pair of listener and track.
    age_days : ndarray of float64, shape (n_pairs,)
        Time from the pair's last play to the newest play of all, in days.
    """

    track: NDArray[np.integer[Any]]
    age_days: NDArray[np.float64]


@dataclass(frozen=True)
class Timeline:
    """Plays in the order of listeners, then of time. There is at least one.

    Parameters
    ----------
    listener, track : ndarray of int, shape (n_plays,)
    at_s : ndarray of float64, shape (n_plays,)
        Seconds since 1970.
    n_tracks : int
        Number of all tracks.
    """

    listener: NDArray[np.integer[Any]]
    track: NDArray[np.integer[Any]]
    at_s: NDArray[np.float64]
    n_tracks: int

    @classmethod
    def of(
        cls,
        listener: NDArray[np.integer[Any]],
        track: NDArray[np.integer[Any]],
        at_s: NDArray[np.float64],
        n_tracks: int,
    ) -> Timeline:
        """Sort plays."""
        order = np.lexsort((at_s, listener))
        return cls(listener[order], track[order], at_s[order], n_tracks)

    @cached_property
    def last(self) -> LastPlays:
        """When each listener last played each track."""
        pair = self.listener.astype(np.int64) * self.n_tracks + self.track
        order = np.argsort(pair, kind="stable")  # a pair's plays stay in the order of time
        pair = pair[order]
        newest = np.flatnonzero(np.diff(pair, append=-1))
        return LastPlays(pair[newest] % self.n_tracks, (self.at_s.max() - self.at_s[order[newest]]) / DAY_S)

    def sessions(self) -> NDArray[np.int64]:
        """Return the number of each play's session. In a session, no pause is longer than `SESSION_GAP_S`."""
        starts = np.diff(self.listener, prepend=-1) != 0
        starts[1:] |= np.diff(self.at_s) > SESSION_GAP_S
        return np.cumsum(starts) - 1


def session_ranks(listener: NDArray[np.integer[Any]], last_played: NDArray[Any]) -> NDArray[np.float32]:
    """Rank the tracks of each listener's session: 1 for the track played last, 2 for the one before it, and so on.

    Tracks that were played at the same time have the same rank.

    Parameters
    ----------
    listener : ndarray of int, shape (n_pairs,)
        Each pair of listener and track occurs once.
    last_played : ndarray, shape (n_pairs,)
        When the track was played last, on any scale.

    Returns
    -------
    ndarray of float32, shape (n_pairs,)
    """
    order = np.lexsort((-last_played, listener))
    who, when = listener[order], last_played[order]
    place = np.arange(len(order))
    is_first = np.diff(who, prepend=-1) != 0
    differs = is_first.copy()
    differs[1:] |= when[1:] != when[:-1]
    begin, equal = (np.maximum.accumulate(np.where(mark, place, 0)) for mark in (is_first, differs))
    ranks = np.empty(len(order), dtype=np.float32)
    ranks[order] = equal - begin + 1
    return ranks


def ranks_at(last_played: NDArray[Any], now: float) -> NDArray[np.float32]:
    """Rank the tracks of the session that a listener is in: see :func:`session_ranks`.

    Parameters
    ----------
    last_played : ndarray, shape (n_played,)
        When each track was played last, in seconds since 1970.
    now : float
        Seconds since 1970.

    Returns
    -------
    ndarray of float32, shape (n_played,)
        0 for a track that was not played in this session. All are 0 if the newest play is longer ago than
        `SESSION_GAP_S`.
    """
    newest_first = np.argsort(-last_played, kind="stable")
    pauses = -np.diff(last_played[newest_first], prepend=now)
    ranks = np.zeros(len(last_played), dtype=np.float32)
    session = newest_first[np.logical_and.accumulate(pauses <= SESSION_GAP_S)]
    ranks[session] = session_ranks(np.zeros(len(session), dtype=np.int64), last_played[session])
    return ranks

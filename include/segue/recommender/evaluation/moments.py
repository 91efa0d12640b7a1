"""Moments in sessions: what a listener plays next, given everything up to this moment.

A window in time holds out many days, and a session lasts an hour. So what the tracks of a session say about the
next ones hardly shows in a window. It shows when a list is made in the middle of a session, as a live list is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.recommender.evaluation.windows import Window
from segue.recommender.timeline import session_ranks

OF_A_LISTENER = 5
"""At most this many moments of a listener are drawn."""


@dataclass(frozen=True)
class Moments:
    """Moments, as a window that has a row for each.

    Parameters
    ----------
    listener : ndarray of int, shape (n_moments,)
        Row of each moment's listener in the window that the moments were drawn from, ascending.
    window : Window
        What the listener played up to the moment, the session that the listener is in, and as held out the rest of
        the session.
    """

    listener: NDArray[np.integer[Any]]
    window: Window

    def by_listener(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Average the values of each listener's moments. Moments of one listener are not independent."""
        _, place, counts = np.unique(self.listener, return_inverse=True, return_counts=True)
        return np.asarray(np.bincount(place, values) / counts)


def draw(window: Window, most: int, seed: int = 0) -> Moments | None:
    """Draw moments from the held-out plays of a window.

    In each moment, the listener has just played a track, and the next track of the session is new to the listener.

    Parameters
    ----------
    window : Window
    most : int
        At most this many moments are drawn in all.
    seed : int

    Returns
    -------
    Moments or None
        None if there are no such moments, or the plays have no times.
    """
    if window.later is None:
        return None
    later, sessions, n_tracks = window.later, window.later.sessions(), window.train.shape[1]
    listener = later.listener.astype(np.int64)
    pair = listener * n_tracks + later.track
    is_new = np.zeros(len(pair), dtype=bool)
    is_new[np.unique(pair, return_index=True)[1]] = True  # the first play of the pair
    known = np.repeat(np.arange(window.train.shape[0]), np.diff(window.train.indptr)) * n_tracks
    is_new &= ~np.isin(pair, known + window.train.indices)
    continues = (sessions[1:] == sessions[:-1]) & (later.at_s[1:] > later.at_s[:-1])
    at = np.flatnonzero(continues & is_new[1:])
    random = np.random.default_rng(seed)
    at = random.permutation(at)
    at = at[np.argsort(listener[at], kind="stable")]
    starts = np.searchsorted(listener[at], listener[at])
    at = at[np.arange(len(at)) - starts < OF_A_LISTENER]
    if len(at) > most:
        at = np.sort(random.choice(at, most, replace=False))
    if not len(at):
        return None
    begin, end = (np.searchsorted(sessions, sessions[at], side=side) for side in ("left", "right"))

    def cut(first: NDArray[np.int64], last: NDArray[np.int64]) -> sparse.csr_matrix:
        row, play = spans(first, last)
        ones = np.ones(len(row), dtype=np.float32)
        return sparse.csr_matrix((ones, (row, later.track[play])), shape=(len(at), n_tracks))

    before = cut(np.searchsorted(listener, listener[at]), at + 1)
    row, play = spans(begin, at + 1)
    newest_first = np.argsort(-play, kind="stable")
    pairs, newest = np.unique((row * n_tracks + later.track[play])[newest_first], return_index=True)
    ranks = session_ranks(pairs // n_tracks, later.at_s[play[newest_first][newest]])
    session = sparse.csr_matrix((ranks, (pairs // n_tracks, pairs % n_tracks)), shape=before.shape)
    train = sparse.csr_matrix(window.train[listener[at]] + before)
    return Moments(listener[at], Window(train, cut(at + 1, end), session=session))


def spans(first: NDArray[np.int64], last: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the numbers from each `first` up to before each `last`, and for each the position of its span."""
    sizes = last - first
    row = np.repeat(np.arange(len(sizes)), sizes)
    return row, np.arange(sizes.sum()) - np.repeat(np.cumsum(sizes) - sizes - first, sizes)

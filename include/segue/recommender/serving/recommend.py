"""Recommend to listeners: score the catalogue, apply the rules, and explain the choice."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.recommender.components.blend import spread
from segue.recommender.evaluation.metrics import best
from segue.recommender.model import Recommender
from segue.recommender.serving import rules
from segue.recommender.serving.reasons import Reason, explain
from segue.recommender.timeline import ranks_at

TOGETHER = 16
"""This many listeners are scored together. The catalogue's factors are read from memory once for all of them."""

COUNT = 25
"""Default length of a list."""


@dataclass(frozen=True)
class Wishes:
    """Parameters of a list.

    Parameters
    ----------
    count : int
        Length of the list.
    discover : float
        Share of tracks that the listener has never played, from 0 to 1.
    recent_days : float
        Tracks played within this many days before now are left out.
    per_artist : int
        Largest number of tracks by one artist. There is no limit if the catalogue has only one artist.
    """

    count: int = COUNT
    discover: float = 1.0
    recent_days: float = 7.0
    per_artist: int = 2


@dataclass(frozen=True)
class Listener:
    """What is known about a listener.

    Parameters
    ----------
    tracks : ndarray of int, shape (n_played,)
        Positions in the catalogue, each once.
    plays : ndarray of float32, shape (n_played,)
        How often each was played.
    last_played : ndarray of int, shape (n_played,)
        When each was played last, in seconds since 1970.
    hated : sequence of int
        Positions of tracks that the listener hates.
    """

    tracks: NDArray[np.int64]
    plays: NDArray[np.float32]
    last_played: NDArray[np.int64]
    hated: Sequence[int] = field(default_factory=tuple)


@dataclass(frozen=True)
class Recommendation:
    """One track of a list, its score, and the reason for it."""

    track: int
    score: float
    reason: Reason


def recommend(
    model: Recommender, listeners: Sequence[Listener], *, now: float, wishes: Wishes | None = None
) -> Iterator[list[Recommendation]]:
    """Recommend to listeners.

    Parameters
    ----------
    model : Recommender
    listeners : sequence of Listener
    now : float
        Seconds since 1970.
    wishes : Wishes, optional

    Yields
    ------
    list of Recommendation
        For each listener, best first. A listener who has played no track of the catalogue gets the most popular
        tracks, and the reason says so.
    """
    for start in range(0, len(listeners), TOGETHER):
        some = listeners[start : start + TOGETHER]
        sessions = [ranks_at(each.last_played, now) for each in some]
        play_counts, session = (
            _matrix(some, values, len(model.catalogue)) for values in ([each.plays for each in some], sessions)
        )
        scores, scales = model.blend.weigh(play_counts, session)
        for row, listener in enumerate(some):
            multiplied = {name: float(scale[row, 0]) for name, scale in scales.items()}
            own = scores[row] if len(listener.tracks) else model.popularity
            chosen = _choose(model, listener, own, now, wishes or Wishes())
            targets = np.array(chosen, dtype=np.int64)
            reasons = explain(model, multiplied, listener.tracks, listener.plays, targets, sessions[row])
            yield [
                Recommendation(track, float(own[track]), reason)
                for track, reason in zip(chosen, reasons, strict=True)
            ]


def _matrix(
    listeners: Sequence[Listener], values: Sequence[NDArray[np.float32]], n_tracks: int
) -> sparse.csr_matrix:
    """Put a value for each played track into a matrix of shape (n_listeners, n_tracks)."""
    bounds = np.cumsum([0, *map(len, values)])
    tracks = np.concatenate([each.tracks for each in listeners])
    return sparse.csr_matrix((np.concatenate(values), tracks, bounds), shape=(len(listeners), n_tracks))


def _choose(
    model: Recommender, listener: Listener, scores: NDArray[np.float32], now: float, wishes: Wishes
) -> list[int]:
    barred = np.concatenate(
        [
            rules.not_played_recently(listener.tracks, listener.last_played, now, wishes.recent_days),
            np.array(listener.hated, dtype=np.int64),
        ]
    )
    allowed = np.setdiff1d(listener.tracks, barred)
    familiar: list[int] = []
    if wishes.discover < 1 and len(allowed):
        habit = np.zeros_like(scores)
        habit[listener.tracks] = np.log1p(listener.plays)
        both = (1 - model.recipe.habit) * scores / spread(scores[None])[0] + model.recipe.habit * habit / spread(
            habit[None]
        )[0]
        familiar = allowed[np.argsort(-both[allowed], kind="stable")].tolist()
    new = scores.copy()
    new[listener.tracks] = -np.inf
    new[barred] = -np.inf
    artists = model.catalogue.artist_numbers
    # In a catalogue of one artist the rule would leave almost no track.
    per_artist = wishes.per_artist if model.catalogue.several_artists else wishes.count
    depth = 4 * wishes.count
    while True:
        top = [int(track) for track in best(new[None], depth)[0] if track >= 0]
        kept = list(rules.at_most_per_artist(top, artists, per_artist))
        if len(kept) >= wishes.count or len(top) < depth:
            break
        depth *= 4
    chosen = rules.mix(kept, familiar, count=len(kept) + len(familiar), discover=wishes.discover)
    return list(rules.at_most_per_artist(chosen, artists, per_artist))[: wishes.count]

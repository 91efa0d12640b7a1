"""What listeners play next in a session: sequential rules (Ludewig and Jannach 2018).

In a session, each play points to the plays that follow it, at most `STEPS` later. The strength of the relation
from track i to track j is the sum over all such pairs of plays. It is then divided by the sums sᵢ of all relations
from i and sⱼ of all relations to j:

    strength(i, j) = Σ 1 / steps · 2^(−age / half-life)
    relation(i, j) = strength(i, j) / √((sᵢ + c) · (sⱼ + c))

The shrinkage c = `SHRINKAGE` keeps a pair that was seen once or twice from looking strong. The relations are
applied to the session that a listener is in: its k-th last track counts 2^(−(k − 1) / memory). For a listener who
is in no session, every track has the score 0, so a blend ranks by its other components.

Source: "Evaluation of session-based recommendation algorithms", User Modeling and User-Adapted Interaction 28
(2018), method SR. There, only the last track of a session counts, and the strengths are not divided.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.recommender.components.neighbours import KEPT, Neighbours
from segue.recommender.timeline import DAY_S, Timeline

STEPS = 5
"""A play points at most to this many later plays of its session."""

SHRINKAGE = 10.0
"""c, in pairs of successive plays."""


@dataclass(frozen=True)
class Transitions:
    """Scores tracks by what is played after the tracks of the session that a listener is in.

    Parameters
    ----------
    relations : Neighbours
        How much a play of the row's track speaks for the column's track: see :func:`relate`.
    memory : float
        A track that was played so many tracks before the last one counts half.
    """

    relations: Neighbours
    memory: float

    def score(
        self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """Score the catalogue for listeners.

        Parameters
        ----------
        play_counts : csr_matrix, shape (n_listeners, n_tracks)
            Only its shape is used.
        session : csr_matrix, shape (n_listeners, n_tracks), optional
            Ranks of the tracks of each listener's session, from :func:`.session_ranks`.
        """
        if session is None:
            return np.zeros(play_counts.shape, dtype=np.float32)
        weighted = sparse.csr_matrix(
            (self._weights(session.data), session.indices, session.indptr), shape=session.shape
        )
        return np.asarray((weighted @ self.relations.relations).toarray(), dtype=np.float32)

    def contributions(
        self, tracks: NDArray[np.int64], ranks: NDArray[np.float32], targets: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Divide the scores of `targets` among the tracks played; shape (n_played, n_targets)."""
        return self._weights(ranks).astype(np.float64)[:, None] * self.relations.between(tracks, targets)

    def _weights(self, ranks: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return how much tracks count by their ranks; 0 for the rank 0."""
        return np.where(ranks > 0, np.exp2((1 - ranks) / self.memory), 0).astype(np.float32)


def relate(timeline: Timeline, half_life_days: float | None = None, *, kept: int = KEPT) -> Neighbours:
    """Relate each track to those that are played soon after it.

    Plays of one listener at the same time have no order, so neither points to the other.

    Parameters
    ----------
    timeline : Timeline
    half_life_days : float, optional
        A play so many days before the newest play counts half. By default, plays of all times count the same.
    kept : int
        Relations kept for each track.
    """
    track, at_s, session = timeline.track, timeline.at_s, timeline.sessions()
    weight = np.ones(len(track), dtype=np.float32)
    if half_life_days is not None:
        weight = np.exp2((at_s - at_s.max()) / (half_life_days * DAY_S)).astype(np.float32)
    strength = sparse.csr_matrix((timeline.n_tracks, timeline.n_tracks), dtype=np.float32)
    for steps in range(1, STEPS + 1):
        pairs = (session[steps:] == session[:-steps]) & (at_s[steps:] > at_s[:-steps])
        pairs &= track[steps:] != track[:-steps]
        counted = weight[steps:][pairs] / np.float32(steps)
        strength = strength + sparse.csr_matrix(
            (counted, (track[:-steps][pairs], track[steps:][pairs])), shape=strength.shape
        )
    before, after = (
        sparse.diags((np.asarray(strength.sum(axis=axis), dtype=np.float64).ravel() + SHRINKAGE) ** -0.5)
        for axis in (1, 0)
    )
    return Neighbours(sparse.csr_matrix(before @ strength @ after, dtype=np.float32)).truncated(kept)

"""Factors of implicit ALS, and folding a listener into them by exact least squares.

For each listener, Spark MLlib finds the vector x that minimises Σ c·(p − x·y)² + λ·n·|x|². The sum runs over all
tracks y. A track of strength r has preference p = 1 and confidence c = 1 + α·r. Every other track has p = 0 and
c = 1. The number n is how many tracks the listener has played (Hu, Koren and Volinsky 2008, with the
regularisation of ALS-WR, Zhou et al. 2008). Let the rows of Y be the factors of the catalogue, and the rows of Yₚ
those of the played tracks. The solution is

    x = (YᵀY + α·Yₚᵀ diag(r) Yₚ + λ·n·I)⁻¹ Yₚᵀ (1 + α·r)

MLlib computes it in ``ALS.computeFactors``, and a test compares MLlib's result with this module's. The strength is
r = ln(1 + plays). The vector x is a sum over the played tracks, so each score x·y is such a sum, too. The reasons
for a recommendation are the terms of this sum.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from scipy import linalg, sparse

Vector = NDArray[np.float32]


@dataclass(frozen=True)
class Factors:
    """Scores tracks by the inner product of their factors with those of the folded-in listener.

    Parameters
    ----------
    item_factors : ndarray of float32, shape (n_tracks, rank)
        0 for a track without factors.
    alpha : float
        α: how much the strength adds to the confidence.
    regularization : float
        λ, as MLlib's ``regParam``.
    """

    item_factors: NDArray[np.float32]
    alpha: float
    regularization: float

    @cached_property
    def _gram(self) -> NDArray[np.float64]:
        return np.asarray(self.item_factors.T @ self.item_factors, dtype=np.float64)

    def _normal(self, played: NDArray[np.float64], strength: Vector) -> NDArray[np.float64]:
        normal = self._gram + (played * (self.alpha * strength)[:, None]).T @ played
        normal[np.diag_indices_from(normal)] += self.regularization * len(strength)
        return normal

    def fold_in(self, tracks: NDArray[np.int64], plays: Vector) -> Vector:
        """Compute the factors of a listener.

        Parameters
        ----------
        tracks : ndarray of int, shape (n_played,)
            Positions of the tracks played.
        plays : ndarray of float32, shape (n_played,)
            How often each was played.

        Returns
        -------
        ndarray of float32, shape (rank,)
            0 for a listener who has played no track that has factors.
        """
        strength = np.log1p(plays)
        played = self.item_factors[tracks].astype(np.float64)
        target = played.T @ (1 + self.alpha * strength)
        if not target.any():
            return np.zeros(self.item_factors.shape[1], dtype=np.float32)
        return np.asarray(
            linalg.solve(self._normal(played, strength), target, assume_a="pos", check_finite=False),
            dtype=np.float32,
        )

    def fold_in_all(self, play_counts: sparse.csr_matrix) -> NDArray[np.float32]:
        """Compute the factors of listeners; `play_counts` has shape (n_listeners, n_tracks)."""
        bounds = pairwise(play_counts.indptr)
        people = [self.fold_in(play_counts.indices[a:b], play_counts.data[a:b]) for a, b in bounds]
        return np.array(people, dtype=np.float32).reshape(-1, self.item_factors.shape[1])

    def score(
        self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """Score the catalogue for listeners; `play_counts` has shape (n_listeners, n_tracks)."""
        del session
        return self.fold_in_all(play_counts) @ self.item_factors.T

    def contributions(
        self, tracks: NDArray[np.int64], plays: Vector, targets: NDArray[np.int64]
    ) -> NDArray[np.float64]:
        """Divide the scores of `targets` among the tracks played; shape (n_played, n_targets).

        The columns add up to the scores, up to rounding.
        """
        strength = np.log1p(plays)
        played = self.item_factors[tracks].astype(np.float64)
        if not played.any():
            return np.zeros((len(tracks), len(targets)))
        towards = linalg.solve(
            self._normal(played, strength), self.item_factors[targets].T.astype(np.float64), assume_a="pos"
        )
        return np.asarray((played * (1 + self.alpha * strength)[:, None]) @ towards)

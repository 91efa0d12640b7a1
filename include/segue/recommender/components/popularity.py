"""What everybody plays: a baseline, and the recommendations for a listener who has not played anything yet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse


@dataclass(frozen=True)
class Popularity:
    """The same score for everybody: ln(1 + number of listeners).

    Parameters
    ----------
    values : ndarray of float32, shape (n_tracks,)
    """

    values: NDArray[np.float32]

    @classmethod
    def fit(cls, play_counts: sparse.csr_matrix) -> Popularity:
        """Count the listeners of each track; `play_counts` has shape (n_listeners, n_tracks)."""
        return cls(np.log1p(np.diff(play_counts.tocsc().indptr)).astype(np.float32))

    def score(self, play_counts: sparse.csr_matrix) -> NDArray[np.float32]:
        """Return the same scores for each listener."""
        return np.repeat(self.values[None, :], play_counts.shape[0], axis=0)


@dataclass(frozen=True)
class Habit:
    """Scores a track by the listener's own ln(1 + plays): the baseline for repeats."""

    def score(self, play_counts: sparse.csr_matrix) -> NDArray[np.float32]:
        """Score the catalogue; 0 for a track that the listener has not played."""
        return np.asarray(play_counts.log1p().toarray(), dtype=np.float32)

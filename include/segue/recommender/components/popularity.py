"""What everybody plays: the baseline, and what a listener gets whom nobody knows yet."""

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
        """Count listeners of each track."""
        return cls(np.log1p(np.diff(play_counts.tocsc().indptr)).astype(np.float32))

    def score(self, play_counts: sparse.csr_matrix) -> NDArray[np.float32]:
        """Repeat the scores for each listener."""
        return np.repeat(self.values[None, :], play_counts.shape[0], axis=0)


@dataclass(frozen=True)
class Habit:
    """Each listener's own ln(1 + plays): the baseline of repeats."""

    def score(self, play_counts: sparse.csr_matrix) -> NDArray[np.float32]:
        """Score what was played by how often."""
        return np.asarray(play_counts.log1p().toarray(), dtype=np.float32)

"""What everybody plays: a baseline, and the recommendations for a listener who has not played anything yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.recommender.timeline import LastPlays


@dataclass(frozen=True)
class Popularity:
    """The same score for everybody: ln(1 + number of listeners), of whom recent ones may count more.

    Parameters
    ----------
    values : ndarray of float32, shape (n_tracks,)
    """

    values: NDArray[np.float32]

    @classmethod
    def fit(
        cls,
        play_counts: sparse.csr_matrix,
        last: LastPlays | None = None,
        half_life_days: float | None = None,
    ) -> Popularity:
        """Count the listeners of each track.

        Parameters
        ----------
        play_counts : csr_matrix, shape (n_listeners, n_tracks)
        last : LastPlays, optional
            The last plays of the same listeners; None if the plays have no times.
        half_life_days : float, optional
            A listener who last played the track so many days before the newest play counts half. By default, all
            listeners count the same.
        """
        if last is None or half_life_days is None:
            return cls(np.log1p(np.diff(play_counts.tocsc().indptr)).astype(np.float32))
        weights = np.exp2(-last.age_days / half_life_days)
        counted = np.bincount(last.track, weights, minlength=play_counts.shape[1])
        return cls(np.log1p(counted).astype(np.float32))

    def score(
        self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """Return the same scores for each listener."""
        del session
        return np.repeat(self.values[None, :], play_counts.shape[0], axis=0)


@dataclass(frozen=True)
class WithFallback:
    """Scores as `scorer` does, but by popularity for a listener who has played nothing, as a served list does.

    Parameters
    ----------
    scorer : object with a method `score`
    fallback : Popularity
    """

    scorer: Any
    fallback: Popularity

    def score(
        self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """Score the catalogue for listeners; `play_counts` has shape (n_listeners, n_tracks)."""
        scores = np.asarray(self.scorer.score(play_counts, session))
        scores[np.diff(play_counts.indptr) == 0] = self.fallback.values
        return scores


@dataclass(frozen=True)
class Habit:
    """Scores a track by the listener's own ln(1 + plays): the baseline for repeats."""

    def score(
        self, play_counts: sparse.csr_matrix, session: sparse.csr_matrix | None = None
    ) -> NDArray[np.float32]:
        """Score the catalogue; 0 for a track that the listener has not played."""
        del session
        return np.asarray(play_counts.log1p().toarray(), dtype=np.float32)

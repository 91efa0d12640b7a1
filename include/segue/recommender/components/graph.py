"""GF-CF: relate tracks by a filter on the graph of listeners and tracks (Shen et al. 2021). Nothing is trained.

The strengths R = ln(1 + plays) are divided by the square roots of each listener's and each track's sum. The result
is N. A linear filter NᵀN relates tracks that have the same listeners. An ideal low-pass filter keeps only the
largest singular vectors V of N, so it relates tracks of the same broad taste:

    NᵀN + LOW_PASS · D^-½ V Vᵀ D^½,    D = diag(column sums of R)

The filter is applied to ln(1 + plays), so each score is a sum over the played tracks.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.recommender.components.neighbours import BLOCK, EASE_TRACKS, Neighbours
from segue.runs.progress import step

LOW_PASS = 0.3
"""Weight of the low-pass filter, as in the paper."""

LARGEST_RANK = 128
"""At most this many singular vectors are computed."""


@dataclass(frozen=True)
class GraphFilter:
    """What GF-CF needs to know about the plays. From this, the filter can be made with any number of vectors.

    Parameters
    ----------
    normalised : csr_matrix of float32, shape (n_listeners, n_chosen)
        N, of the chosen tracks.
    vectors : ndarray of float32, shape (n_vectors, n_chosen)
        Right singular vectors of N, those of the largest singular values first.
    sums : ndarray of float32, shape (n_chosen,)
        Sum of each track's strengths; 1 for a track that nobody has played.
    chosen : ndarray of int, shape (n_chosen,)
        The tracks that take part: the `EASE_TRACKS` with the most listeners.
    n_tracks : int
        Number of all tracks.
    """

    normalised: sparse.csr_matrix
    vectors: NDArray[np.float32]
    sums: NDArray[np.float32]
    chosen: NDArray[np.int64]
    n_tracks: int

    @classmethod
    def of(cls, play_counts: sparse.csr_matrix, *, vectors: int = LARGEST_RANK) -> GraphFilter:
        """Compute this from plays, shape (n_listeners, n_tracks)."""
        from sklearn.utils.extmath import randomized_svd

        strengths = play_counts.log1p().tocsc()
        chosen = np.sort(np.argsort(-np.diff(strengths.indptr), kind="stable")[:EASE_TRACKS])
        part = strengths[:, chosen].tocsr()
        of_listeners, sums = (np.asarray(part.sum(axis=axis), dtype=np.float32).ravel() for axis in (1, 0))
        of_listeners[of_listeners == 0] = sums[sums == 0] = 1
        normalised = sparse.csr_matrix(
            sparse.diags(of_listeners**-0.5) @ part @ sparse.diags(sums**-0.5), dtype=np.float32
        )
        count = min(vectors, *normalised.shape)
        with step(f"GF-CF: {count} singular vectors of {len(chosen):,} tracks"):
            found = randomized_svd(normalised, count, random_state=0)[2]
        return cls(normalised, found.astype(np.float32), sums, chosen, strengths.shape[1])

    def fit(self, rank: int) -> Neighbours:
        """Make the filter with the `rank` largest singular vectors.

        Returns
        -------
        Neighbours
            Dense if all tracks took part. Otherwise it has only the strongest relations.
        """
        vectors, root = self.vectors[:rank], np.sqrt(self.sums)
        by_listener, by_track = self.normalised, self.normalised.T.tocsr()
        relations = (vectors / root).T @ (vectors * root)
        relations *= LOW_PASS
        for start in range(0, len(relations), BLOCK):
            relations[start : start + BLOCK] += (by_track[start : start + BLOCK] @ by_listener).toarray()
        np.fill_diagonal(relations, 0)
        if len(self.chosen) == self.n_tracks:
            return Neighbours(relations)
        return Neighbours(relations).truncated().placed(self.chosen, self.n_tracks)

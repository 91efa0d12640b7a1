"""RP3β, a baseline: relate tracks by a random walk from a track to a listener to another (Paudel et al. 2017).

The probability of each step is raised to the power α, and the result is divided by the target track's sum of
strengths to the power β:

    relation(i, j) = Σᵤ (R_ui / Σᵥ R_vi)^α · (R_uj / Σₖ R_uk)^α / (Σᵥ R_vj)^β,    R = ln(1 + plays)
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from segue.recommender.components.neighbours import Neighbours, multiplied


def walk(play_counts: sparse.csr_matrix, *, alpha: float, beta: float, kept: int | None = None) -> Neighbours:
    """Relate tracks by a random walk.

    Parameters
    ----------
    play_counts : csr_matrix, shape (n_listeners, n_tracks)
    alpha : float
        Above 1, likely steps count more; below 1, all steps count alike.
    beta : float
        From 0 to 1. The higher, the less popular the tracks that score high.
    kept : int, optional
        Relations kept for each track; default all.
    """
    strengths = play_counts.log1p().tocsr()
    of_tracks = _sums(strengths, 0)
    to_listener = (strengths @ sparse.diags(1 / of_tracks)).power(alpha).tocsr()
    to_track = (sparse.diags(1 / _sums(strengths, 1)) @ strengths).power(alpha)
    targets = (to_track @ sparse.diags(of_tracks**-beta)).tocsc().T
    return multiplied(to_listener, targets, kept, "RP3beta")


def _sums(strengths: sparse.csr_matrix, axis: int) -> NDArray[np.float64]:
    sums = np.asarray(strengths.sum(axis=axis), dtype=np.float64).ravel()
    return np.where(sums > 0, sums, 1.0)

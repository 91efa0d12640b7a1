from __future__ import annotations

import numpy as np
from scipy import sparse

from segue.recommender.components.random_walk import walk


def test_relations_are_those_of_the_formula(plays: sparse.csr_matrix) -> None:
    strengths = np.log1p(plays[:, :12].toarray()).astype(np.float64)
    strengths[:, 11] = 0  # nobody has played this track
    alpha, beta = 0.7, 0.4
    by_track, by_listener = strengths.sum(axis=0), strengths.sum(axis=1)
    expected = np.zeros((12, 12))
    for i in range(11):
        for j in range(11):
            there = (strengths[:, i] > 0) & (strengths[:, j] > 0) & (i != j)
            steps = strengths[there, i] / by_track[i] * strengths[there, j] / by_listener[there]
            expected[i, j] = (steps**alpha).sum() / by_track[j] ** beta
    counts = sparse.csr_matrix(np.expm1(strengths))
    relations = walk(counts, alpha=alpha, beta=beta).relations
    np.testing.assert_allclose(relations.toarray(), expected, rtol=1e-4, atol=1e-6)


def test_a_higher_beta_prefers_tracks_that_fewer_play(plays: sparse.csr_matrix) -> None:
    listeners = np.diff(plays.tocsc().indptr)

    def popularity(beta: float) -> float:
        scores = walk(plays, alpha=1.0, beta=beta).score(plays)
        return float(listeners[scores.argmax(axis=1)].mean())

    assert popularity(1.0) < popularity(0.0)

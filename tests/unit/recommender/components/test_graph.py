"""GF-CF: a filter on the graph of listeners and tracks."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from segue.recommender.components import graph, neighbours
from segue.recommender.components.graph import LOW_PASS, GraphFilter


def test_it_is_the_filter_of_the_paper(plays: sparse.csr_matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(graph, "BLOCK", 7)
    strengths = plays.log1p().toarray().astype(np.float64)
    of_listeners, of_tracks = (np.maximum(strengths.sum(axis=axis), 1e-12) for axis in (1, 0))
    normalised = strengths / np.sqrt(of_listeners)[:, None] / np.sqrt(of_tracks)
    vectors = np.linalg.svd(normalised, full_matrices=False)[2][:3]
    root = np.sqrt(of_tracks)
    expected = normalised.T @ normalised + LOW_PASS * (vectors.T @ vectors) / root[:, None] * root
    np.fill_diagonal(expected, 0)
    relations = GraphFilter.of(plays).fit(3).relations
    np.testing.assert_allclose(relations, expected, atol=1e-3)


def test_a_larger_catalogue_relates_the_tracks_with_most_listeners(
    plays: sparse.csr_matrix, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(graph, "EASE_TRACKS", 20)
    monkeypatch.setattr(neighbours, "KEPT", 200)
    listeners = np.diff(plays.tocsc().indptr)
    relations = GraphFilter.of(plays).fit(4).relations
    assert relations.shape == (plays.shape[1], plays.shape[1])
    took_part = np.flatnonzero(np.diff(relations.tocsc().indptr))
    assert len(took_part) == 20
    assert listeners[took_part].min() >= np.sort(listeners)[-20]


@pytest.mark.parametrize(
    "counts",
    [np.ones((1, 6)), np.full((5, 6), 3.0), np.full((5, 6), 1e6), np.zeros((5, 6)), np.eye(6) * 1e6],
    ids=["one listener", "all equal", "a million", "no plays", "one track each"],
)
def test_odd_counts_have_relations_that_are_finite(counts: np.ndarray) -> None:
    plays = sparse.csr_matrix(counts.astype(np.float32))
    assert np.isfinite(GraphFilter.of(plays).fit(32).relations).all()

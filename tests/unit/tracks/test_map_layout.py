from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segue.tracks.map_layout import FEWEST, lay_out, place_between

KINDS = 6


def sounds(count: int, *, dimensions: int = 16, seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Tracks of some kinds, and the kind of each."""
    random, middles = np.random.default_rng(seed), np.random.default_rng(9).normal(size=(KINDS, dimensions))
    kind = np.arange(count) % KINDS
    vectors = middles[kind] + random.normal(0, 0.4, (count, dimensions))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32), kind


def share_of_neighbours_of_the_same_kind(places: NDArray[np.float32], kind: NDArray[np.int64]) -> float:
    apart = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(apart, np.inf)
    return float((kind[np.argsort(apart, axis=1)[:, :5]] == kind[:, None]).mean())


def test_tracks_that_sound_alike_are_near_each_other_within_the_square() -> None:
    vectors, kind = sounds(300)
    places = lay_out(vectors)
    assert share_of_neighbours_of_the_same_kind(places, kind) > 0.95
    assert np.abs(places).max() == pytest.approx(1)
    np.testing.assert_array_equal(lay_out(vectors), places)


def test_new_tracks_are_placed_among_those_that_sound_like_them() -> None:
    vectors, kind = sounds(360)
    places = lay_out(vectors[:300])
    new = place_between(vectors[300:], vectors[:300], places)
    together = np.concatenate([places, new])
    assert share_of_neighbours_of_the_same_kind(together, kind) > 0.95
    np.testing.assert_allclose(place_between(vectors[:1], vectors[:1], places[:1]), places[:1])


def test_a_new_layout_is_turned_as_the_one_before() -> None:
    vectors, kind = sounds(300)
    before = lay_out(vectors)
    after = lay_out(sounds(300, seed=1)[0], before)
    middles = [np.array([each[kind == k].mean(axis=0) for k in range(KINDS)]) for each in (before, after)]
    assert np.corrcoef(middles[0].ravel(), middles[1].ravel())[0, 1] > 0.8


@pytest.mark.parametrize("count", [0, 1, 2, FEWEST - 1, FEWEST, FEWEST + 1])
def test_few_tracks_have_places_too(count: int) -> None:
    places = lay_out(sounds(count, dimensions=max(1, min(count, 16)))[0])
    assert places.shape == (count, 2)
    assert np.isfinite(places).all()


@pytest.mark.parametrize("vectors", [np.zeros((30, 8), np.float32), np.full((30, 8), 8**-0.5, np.float32)])
def test_tracks_that_all_sound_the_same_have_places_too(vectors: NDArray[np.float32]) -> None:
    assert np.isfinite(lay_out(vectors)).all()

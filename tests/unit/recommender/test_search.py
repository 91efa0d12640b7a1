"""The search for parameters does not depend on the size of the counts, and no choice is caught at an end."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest
from scipy import sparse

from segue.recommender import search
from segue.recommender.components.als import Hyperparameters


def stronger(plays: sparse.csr_matrix, times: float) -> sparse.csr_matrix:
    """Raise the counts until each strength ln(1 + plays) is so many times as large."""
    counts = plays.astype(np.float64)
    counts.data = np.expm1(np.log1p(counts.data) * times)
    return counts


def quotients(plays: sparse.csr_matrix, parameters: Hyperparameters) -> tuple[float, float]:
    confidence = parameters.alpha * float(plays.log1p().data.mean())
    return confidence, parameters.regularization / (1 + confidence)


@pytest.mark.parametrize("times", [1, 7, 20])
def test_large_counts_are_searched_like_small_ones(plays: sparse.csr_matrix, times: float) -> None:
    counts = stronger(plays, times)
    drawn = [search.simplest(counts), *search.draw(counts, 6, seed=1)]
    expected = [search.simplest(plays), *search.draw(plays, 6, seed=1)]
    for one, other in zip(drawn, expected, strict=True):
        assert (one.rank, one.iterations) == (other.rank, other.iterations)
        assert quotients(counts, one) == pytest.approx(quotients(plays, other), rel=0.02)
    assert search.first_ease(counts) == pytest.approx(times**2 * search.first_ease(plays), rel=1e-6)


def test_parameters_spread_over_the_whole_range_and_differ_by_seed(plays: sparse.csr_matrix) -> None:
    drawn = search.draw(plays, 20, seed=1)
    assert drawn == search.draw(plays, 20, seed=1)
    assert not set(drawn) & set(search.draw(plays, 20, seed=2))
    regularizations = sorted(quotients(plays, each)[1] for each in drawn)
    assert 0.02 <= regularizations[0] < 0.024
    assert 0.42 < regularizations[-1] <= 0.5
    assert {each.rank for each in drawn} == {8, 16, 32}, "no more factors than listeners or tracks"


def test_a_choice_is_not_caught_at_an_end() -> None:
    def ndcg_around(best: float) -> Callable[[float], np.ndarray]:
        return lambda value: 1 - abs(np.log(value / best)) / 20 + np.zeros(50)

    for best in (0.01, 1.0, 9.0, 700.0):
        found = search.climb(1.0, lambda first, steps: first * 3.0**steps, ndcg_around(best))
        assert abs(np.log(found / best)) <= np.log(3) / 2 + 1e-9


def test_a_choice_stays_where_nothing_differs_or_nobody_is_there_to_judge() -> None:
    for reached in (np.ones(30), np.empty(0)):
        assert search.climb(4, lambda first, steps: first + steps, lambda _, same=reached: same) == 4


def test_the_smallest_choice_within_a_standard_error_of_the_best_is_taken() -> None:
    noise = np.random.default_rng(0).normal(0, 0.1, 200)
    reached = {50: 0.3 + noise, 100: 0.4 + 0.1 * noise, 200: 0.4 + noise, 400: 0.401 - noise}
    assert search.smallest(reached) == 100
    assert search.smallest(dict(reversed(reached.items()))) == 400
    assert search.smallest({size: np.full(9, 0.1) for size in reached}) == 50
    for few in (0, 1):
        assert search.smallest({size: values[:few] for size, values in reached.items()}) == 400


def test_one_listener_changes_no_choice() -> None:
    assert search.prefer({"first": np.array([0.1]), "other": np.array([0.9])}) == "first"


@pytest.mark.parametrize(
    "counts",
    [np.ones((1, 6)), np.full((5, 6), 3.0), np.full((5, 6), 1e6), np.zeros((5, 6)), np.eye(6) * 1e6],
    ids=["one listener", "all equal", "a million", "no plays", "one track each"],
)
def test_odd_counts_have_parameters_that_are_finite(counts: np.ndarray) -> None:
    plays = sparse.csr_matrix(counts.astype(np.float32))
    for each in [search.simplest(plays), *search.draw(plays, 4, seed=0)]:
        assert 1 <= each.rank <= min(plays.shape)
        assert np.isfinite([each.alpha, each.regularization]).all()
        assert min(each.alpha, each.regularization) > 0
    assert np.isfinite(search.first_ease(plays))
    assert search.first_ease(plays) > 0

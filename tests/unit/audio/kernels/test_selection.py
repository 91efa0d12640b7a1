from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segue.audio.kernels.selection import medians


def upper(series: NDArray[np.float32]) -> NDArray[np.float32]:
    return np.sort(series, axis=1)[:, series.shape[1] // 2]


@pytest.mark.parametrize("n", [1, 2, 3, 4, 15, 16, 17, 2584, 2585])
@pytest.mark.parametrize("scale", [1e-38, 1.0, 1e38])
def test_medians_equal_numpys(n: int, scale: float) -> None:
    series = (np.random.default_rng(n).uniform(-1, 1, (5, n)) * scale).astype(np.float32)
    np.testing.assert_array_equal(medians(series), np.median(series, axis=1))
    np.testing.assert_array_equal(medians(series, upper=True), upper(series))


@pytest.mark.parametrize("n", [1000, 2585])
def test_however_the_values_are_spread(n: int) -> None:
    rng = np.random.default_rng(n)
    decades = 10 ** rng.uniform(-37, 37, n) * rng.choice([-1, 1], n)
    few_far_away = np.where(rng.random(n) < 0.01, 1e38, rng.random(n))
    half_the_same = np.where(rng.random(n) < 0.5, 0.25, rng.random(n))
    series = np.stack([decades, few_far_away, -few_far_away, half_the_same]).astype(np.float32)
    np.testing.assert_array_equal(medians(series), np.median(series, axis=1))
    np.testing.assert_array_equal(medians(series, upper=True), upper(series))


@pytest.mark.parametrize("n", [2, 5, 100, 101])
def test_ties_count_each(n: int) -> None:
    series = np.random.default_rng(n).integers(-1, 2, (50, n)).astype(np.float32)
    np.testing.assert_array_equal(medians(series), np.median(series, axis=1))
    np.testing.assert_array_equal(medians(series, upper=True), upper(series))


@pytest.mark.parametrize(
    "row",
    [
        [-np.inf, np.inf, 1],
        [np.inf, np.inf, 1],
        [-np.inf, -np.inf, 1, 2],
        [-np.inf, 2, 4, np.inf],
        [3, 5, np.inf, np.inf],
        [-0.0, -0.0, 0.0],
        [-0.0, 0.0, 0.0, -1],
        [-3.4028235e38, 3.4028235e38],
        [1e-45, -1e-45, 0],
    ],
)
def test_infinities_zeros_of_either_sign_and_the_extremes_of_float32_are_ordered(row: list[float]) -> None:
    series = np.array([row], np.float32)
    np.testing.assert_array_equal(medians(series), np.median(series, axis=1))


def test_rows_may_lie_apart_in_memory() -> None:
    series = np.random.default_rng(1).standard_normal((31, 7)).astype(np.float32).T
    np.testing.assert_array_equal(medians(series), np.median(series, axis=1))

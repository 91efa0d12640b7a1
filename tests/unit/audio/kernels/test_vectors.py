from __future__ import annotations

import numba
import numpy as np
import pytest
from numba.core.errors import TypingError
from numpy.typing import NDArray

from segue.audio.kernels.vectors import (
    WIDTH,
    above,
    first_lane,
    flipped,
    load,
    splat,
    square_root,
    store,
    store_quarter,
    times,
)

Float32 = NDArray[np.float32]


def noise(n: int) -> Float32:
    return np.random.default_rng(n).standard_normal(n).astype(np.float32)


@numba.njit
def scaled_sum(x: Float32, y: Float32, at: int, factor: np.float32, out: Float32) -> None:
    store(out, at, splat(factor) * (load(x, at) + load(y, at)) - load(y, 0))


@pytest.mark.parametrize("at", [0, 1, 7, 16, 31])
def test_loads_and_stores_need_no_alignment_and_touch_16_values(at: int) -> None:
    x, y, out = noise(48), noise(49)[:48], np.zeros(48, np.float32)
    scaled_sum(x, y, at, np.float32(3), out)
    expected = np.zeros(48, np.float32)
    expected[at : at + WIDTH] = np.float32(3) * (x + y)[at : at + WIDTH] - y[:WIDTH]
    np.testing.assert_allclose(out, expected, atol=1e-6)
    np.testing.assert_array_equal(out[:at], 0)
    np.testing.assert_array_equal(out[at + WIDTH :], 0)


@numba.njit
def products(x: Float32, y: Float32, out: Float32) -> None:
    total = splat(np.float32(0))
    for i in range(0, len(x), WIDTH):
        total += load(x, i) * load(y, i)
    store(out, 0, total)


def test_a_dot_product_is_the_sum_of_16_sums() -> None:
    x, y, out = noise(1024), noise(1025)[:1024], np.empty(WIDTH, np.float32)
    products(x, y, out)
    sums = (x.astype(np.float64) * y).reshape(-1, WIDTH).sum(axis=0)
    np.testing.assert_allclose(out, sums, atol=1e-4)
    assert out.sum() == pytest.approx(np.dot(x, y), abs=1e-3)


@numba.njit
def root_of_the_reverse(x: Float32, out: Float32) -> None:
    store(out, 0, square_root(flipped(load(x, 0))))


def test_lanes_can_be_reversed_and_rooted() -> None:
    x, out = np.square(noise(WIDTH)), np.empty(WIDTH, np.float32)
    root_of_the_reverse(x, out)
    np.testing.assert_allclose(out, np.sqrt(x[::-1]), rtol=1e-6)


@numba.njit
def comparison(x: Float32, y: Float32) -> tuple[int, int]:
    lanes = above(load(x, 0), load(y, 0))
    return lanes, first_lane(lanes)


@pytest.mark.parametrize("larger", [[0], [15], [3, 4, 9], list(range(16))])
def test_a_comparison_gives_one_bit_a_lane(larger: list[int]) -> None:
    x, y = np.zeros(WIDTH, np.float32), np.zeros(WIDTH, np.float32)
    x[larger] = 1
    assert comparison(x, y) == (sum(1 << lane for lane in larger), larger[0])


@numba.njit
def transformed(columns: Float32, x: Float32, first: int, stride: int, out: Float32, quarter: Float32) -> None:
    y = times(columns, x, first, stride)
    store(out, 0, y)
    store_quarter(quarter, 1, y)


@pytest.mark.parametrize(("first", "stride"), [(0, 1), (3, 1), (1, 2), (0, 5)])
def test_a_matrix_is_multiplied_with_values_that_lie_apart(first: int, stride: int) -> None:
    columns, x = noise(WIDTH * WIDTH), noise(100)
    out, quarter = np.zeros(WIDTH, np.float32), np.zeros(6, np.float32)
    transformed(columns, x, first, stride, out, quarter)
    expected = x[first : first + WIDTH * stride : stride] @ columns.reshape(WIDTH, WIDTH)
    np.testing.assert_allclose(out, expected, atol=1e-5)
    np.testing.assert_array_equal(quarter, [0, *out[:4], 0])


def test_only_contiguous_float32_can_be_loaded() -> None:
    for array in (np.zeros(48), np.zeros(96, np.float32)[::2]):
        with pytest.raises(TypingError):
            scaled_sum(array, array, 0, np.float32(1), array)

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray

from segue.audio.kernels import overlap_save
from segue.audio.kernels.halving import Exact, Filtering

Samples = NDArray[np.float32]


def noise(n: int) -> Samples:
    return np.random.default_rng(1).standard_normal(n).astype(np.float32)


def divided(samples: Samples, factor: int, ends: list[int]) -> Samples:
    """Divide the rate of a signal that comes in blocks with these ends."""
    filtering = Filtering(factor, len(samples))
    bounds = [0, *ends, len(samples)]
    parts = [filtering.resample(samples[a:b], last=b == len(samples)) for a, b in pairwise(bounds)]
    return np.concatenate(parts)


def exact(samples: Samples, factor: int) -> Samples:
    resampled: Samples = soxr.resample(samples, factor, 1, quality="soxr_hq")
    return resampled


@pytest.mark.parametrize("factor", [2, 4, 8])
def test_blocks_of_any_length_give_the_same_samples_as_the_whole(factor: int) -> None:
    samples = noise(400_003)
    whole = divided(samples, factor, [])
    assert len(whole) == -(-len(samples) // factor)
    for lengths in ([65_536], [1, 70_001, 512], [4_099]):
        ends = np.cumsum(np.resize(lengths, len(samples) // min(lengths)))
        assert np.array_equal(divided(samples, factor, ends[ends < len(samples)].tolist()), whole)


@pytest.mark.parametrize("n", [1, 1_279, 2_560])
def test_a_short_signal_is_divided_by_soxr(n: int) -> None:
    samples = noise(n)
    np.testing.assert_array_equal(divided(samples, 2, []), exact(samples, 2))


@pytest.mark.parametrize("factor", [2, 4])
def test_the_ends_equal_soxrs_and_so_does_a_low_tone_everywhere(factor: int) -> None:
    samples = noise(50_000)
    computed, expected = divided(samples, factor, []), exact(samples, factor)
    np.testing.assert_allclose(computed[:200], expected[:200], atol=2e-5)
    np.testing.assert_allclose(computed[-200:], expected[-200:], atol=2e-5)
    tone = np.sin(0.6 * np.pi / factor * np.arange(50_000)).astype(np.float32)
    np.testing.assert_allclose(divided(tone, factor, []), exact(tone, factor), atol=2e-5)


def halved(samples: Samples, ends: list[int]) -> Samples:
    exact_ = Exact(len(samples), overlap_save.workspace())
    bounds = [0, *ends, len(samples)]
    return np.concatenate([exact_.resample(samples[a:b], last=b == len(samples)) for a, b in pairwise(bounds)])


@pytest.mark.parametrize("n", [1, 2, 391, 52_992, 52_993, 400_003])
def test_halving_gives_what_soxr_gives_from_end_to_end(n: int) -> None:
    samples = noise(n)
    computed = halved(samples, [])
    assert len(computed) == -(-n // 2)
    np.testing.assert_allclose(computed, exact(samples, 2)[: len(computed)], atol=2e-6)
    ends = list(range(4_099, n, 4_099))
    assert np.array_equal(halved(samples, ends), computed)

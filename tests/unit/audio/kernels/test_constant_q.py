from __future__ import annotations

import numpy as np
import pytest
from tests.support.feature_clips import Samples

from segue.audio.kernels import overlap_save
from segue.audio.kernels.constant_q import ConstantQChroma

WAIT = overlap_save.SEGMENTS * overlap_save.HOP


def chroma(samples: Samples, sample_rate: int, lengths: list[int]) -> Samples:
    """Compute the chroma of a signal that comes in blocks of these lengths, again and again."""
    transform = ConstantQChroma(sample_rate, 0.1, len(samples))
    start, i = 0, 0
    while start < len(samples):
        transform.add(samples[start : start + lengths[i % len(lengths)]])
        start += lengths[i % len(lengths)]
        i += 1
    return transform.finish()


# The rate of 44.1 kHz is halved before the top octave. At the others a hop is longer than the octave's filters.
@pytest.mark.parametrize("sample_rate", [8_000, 11_025, 22_050, 44_100])
def test_blocks_about_as_long_as_an_octave_waits_for_give_the_same_chroma(sample_rate: int) -> None:
    samples = np.random.default_rng(1).standard_normal(5 * WAIT + 77).astype(np.float32)
    whole = chroma(samples, sample_rate, [len(samples)])
    assert whole.shape == (12, 1 + len(samples) // 512)
    for lengths in (
        [WAIT - 1],
        [WAIT],
        [WAIT + 1],
        [2 * WAIT - 1, 2 * WAIT + 1],
        [WAIT // 2, 1, WAIT // 2 - 1],
        [len(samples) - 1],
    ):
        np.testing.assert_array_equal(chroma(samples, sample_rate, lengths), whole)

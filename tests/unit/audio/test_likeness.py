from __future__ import annotations

import numpy as np
import pytest
from scipy.signal import resample_poly
from tests.support.feature_clips import music

from segue.audio.definition import N_FEATURES, index
from segue.audio.features import compute
from segue.audio.likeness import MAX_DYNAMICS, differences, is_same_sound

RATE = 44_100


def features(samples, rate=RATE):
    return compute(samples, rate)[None]


def rates(*values):
    return tuple(np.array([each], np.int32) for each in values)


@pytest.fixture(scope="module")
def original():
    return music(RATE, 12, 1, seed=1)


def test_quieter_or_shorter_the_sound_is_the_same(original):
    known = features(original)
    assert is_same_sound(known, features(0.5 * original), *rates(RATE, RATE))
    assert is_same_sound(known, features(original[:, RATE // 5 :]), *rates(RATE, RATE))


def test_at_48_khz_the_sound_is_the_same(original):
    copy = resample_poly(original, 160, 147, axis=1).astype(np.float32)
    pair = features(original), features(copy, 48_000)
    assert is_same_sound(*pair, *rates(RATE, 48_000))
    assert is_same_sound(*pair[::-1], *rates(48_000, RATE))
    assert not is_same_sound(pair[0], pair[0], *rates(RATE, 96_000)), "frames of another length say nothing"


def test_with_its_dynamics_compressed_the_sound_is_another(original):
    louder = np.tanh(4 * original)
    _, _, dynamics = differences(features(original), features(louder), *rates(RATE, RATE))
    assert dynamics > MAX_DYNAMICS


def test_other_music_is_another_sound(original):
    harmony, timbre, _ = differences(features(original), features(music(RATE, 12, 1, seed=2)), *rates(RATE, RATE))
    assert min(harmony[0], timbre[0]) > 0.1


def test_a_difference_of_means_counts_in_deviations_within_the_tracks():
    one = np.ones((1, N_FEATURES), np.float32)
    other = one.copy()
    other[0, index("chroma_cqt", "mean", 3)] = 1.5
    harmony, timbre, dynamics = differences(one, other, *rates(RATE, RATE))
    assert harmony[0] == pytest.approx(0.5 / np.sqrt(24))
    assert timbre[0] == dynamics[0] == 0


def test_series_that_do_not_vary_are_the_same():
    silent = np.zeros((2, N_FEATURES), np.float32)
    same_rate = np.full(2, RATE, np.int32)
    assert is_same_sound(silent, silent, same_rate, same_rate).all()

from __future__ import annotations

import numpy as np
import pytest
from tests.support.feature_clips import music

from segue.audio.definition import N_FEATURES, index
from segue.audio.features import compute
from segue.audio.likeness import differences, is_same_sound

RATE = 22_050


def features(samples):
    return compute(samples, RATE)[None]


@pytest.fixture(scope="module")
def original():
    return music(RATE, 12, 1, seed=1)


def test_quieter_or_shorter_the_sound_is_the_same(original):
    known = features(original)
    assert is_same_sound(known, features(0.5 * original))
    assert is_same_sound(known, features(original[:, RATE // 5 :]))


def test_other_music_is_another_sound(original):
    harmony, timbre = differences(features(original), features(music(RATE, 12, 1, seed=2)))
    assert min(harmony[0], timbre[0]) > 0.1


def test_a_difference_of_means_counts_in_deviations_within_the_tracks():
    one = np.ones((1, N_FEATURES), np.float32)
    other = one.copy()
    other[0, index("mfcc", "mean", 3)] = 1.5
    harmony, timbre = differences(one, other)
    assert harmony[0] == 0
    assert timbre[0] == pytest.approx(0.5 / np.sqrt(19))


def test_series_that_do_not_vary_are_the_same():
    silent = np.zeros((2, N_FEATURES), np.float32)
    assert is_same_sound(silent, silent).all()

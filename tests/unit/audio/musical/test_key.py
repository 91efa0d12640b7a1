from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from segue.audio import reference
from segue.audio.features import FeatureAccumulator
from segue.audio.musical import key
from segue.audio.musical.key import MODES, PROFILES, TONICS, Key

SAMPLE_RATE = 22_050
CADENCES = {
    "major": [(0, 4, 7), (5, 9, 12), (7, 11, 14), (0, 4, 7)],
    "minor": [(0, 3, 7), (5, 8, 12), (7, 11, 14), (0, 3, 7)],
}


class Heard:
    """A listener that keeps the chromagram."""

    def __init__(self) -> None:
        self.chroma = np.zeros((12, 0), np.float32)

    def add_mel_levels(self, levels: NDArray[np.float32]) -> None:
        pass

    def add_chroma(self, chroma: NDArray[np.float32]) -> None:
        self.chroma = chroma


def cadence(tonic: int, mode: str) -> NDArray[np.float32]:
    times = np.arange(SAMPLE_RATE) / SAMPLE_RATE
    chords = []
    for chord in CADENCES[mode]:
        hz = [440 * 2 ** ((60 + tonic + note - 69) / 12) * overtone for note in chord for overtone in (1, 2, 3)]
        chords.append(sum(np.sin(2 * np.pi * each * times) / each for each in hz))
    y = np.concatenate(chords)
    return (0.5 * y / np.abs(y).max()).astype(np.float32)


def heard(samples: NDArray[np.float32]) -> NDArray[np.float64]:
    listener = Heard()
    accumulator = FeatureAccumulator(SAMPLE_RATE, listener=listener)
    accumulator.add(samples)
    accumulator.finish()
    return key.pitch_classes(listener.chroma)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("tonic", range(12))
def test_finds_the_key_of_a_cadence(tonic: int, mode: str) -> None:
    found = key.estimate(heard(cadence(tonic, mode)))
    assert found is not None
    assert (found.tonic, found.mode) == (TONICS[tonic], mode)
    assert found.confidence > 0.4


def test_the_pitch_classes_are_those_of_librosas_chromagram() -> None:
    samples = cadence(3, "minor")
    expected = np.square(reference.frame_series(samples, SAMPLE_RATE)["chroma_cqt"]).mean(axis=1)
    np.testing.assert_allclose(heard(samples), expected, atol=1e-3)


@pytest.mark.parametrize("profile", PROFILES)
def test_the_best_key_has_the_largest_correlation_of_numpy(profile: str) -> None:
    shares = np.random.default_rng(5).uniform(0, 1, 12)
    correlations = {
        (TONICS[tonic], mode): np.corrcoef(shares, np.roll(of_mode, tonic))[0, 1]
        for mode, of_mode in zip(MODES, PROFILES[profile], strict=True)
        for tonic in range(12)
    }
    found = key.estimate(shares, profile)
    assert found is not None
    assert (found.tonic, found.mode) == max(correlations, key=lambda each: correlations[each])


def test_less_clear_music_has_less_confidence() -> None:
    clear = heard(cadence(2, "major"))
    blurred = clear + 5 * np.random.default_rng(1).uniform(0, 1, 12)
    sure, unsure = key.estimate(clear), key.estimate(blurred)
    assert isinstance(sure, Key)
    assert isinstance(unsure, Key)
    assert 1 / 24 < unsure.confidence < sure.confidence <= 1


def test_silence_has_no_key() -> None:
    assert key.estimate(key.pitch_classes(np.zeros((12, 50), np.float32))) is None
    assert key.estimate(key.pitch_classes(np.zeros((12, 0), np.float32))) is None
    assert key.estimate(np.full(12, 0.3)) is None

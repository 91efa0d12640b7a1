from __future__ import annotations

import librosa
import numpy as np
import pytest
from numpy.typing import NDArray

from segue.audio.definition import HOP_LENGTH
from segue.audio.features import FeatureAccumulator
from segue.audio.kernels.descriptors import N_MEL_ROWS
from segue.audio.kernels.stft import LANES
from segue.audio.musical import tempo
from segue.audio.musical.meter import MusicalMeter
from segue.audio.musical.tempo import OnsetMeter, Tempo, estimate

Float32 = NDArray[np.float32]


def drums(bpm: float, sample_rate: int = 22_050, seconds: float = 20.0, *, jitter: float = 0.0) -> Float32:
    """A struck noise on every beat, and a quieter one between two beats."""
    rng = np.random.default_rng(1)
    y = rng.standard_normal(round(seconds * sample_rate)) * 1e-3
    stroke = rng.standard_normal(sample_rate // 10) * np.exp(-np.arange(sample_rate // 10) / sample_rate * 60)
    for number, at in enumerate(np.arange(0, seconds - 0.2, 30 / bpm)):
        start = round((at + jitter * rng.uniform(0, 1)) * sample_rate)
        y[start : start + len(stroke)] += stroke[: len(y) - start] * (0.5 if number % 2 == 0 else 0.15)
    return y.astype(np.float32)


def heard(samples: Float32, sample_rate: int = 22_050) -> Tempo | None:
    meter = MusicalMeter(sample_rate, 1)
    accumulator = FeatureAccumulator(sample_rate, listener=meter)
    accumulator.add(samples)
    accumulator.finish()
    return estimate(meter._onsets.finish(meter._n_frames), sample_rate)


@pytest.mark.parametrize("sample_rate", [8_000, 22_050, 44_100, 96_000])
@pytest.mark.parametrize("bpm", [73, 100, 128])
def test_finds_the_tempo_of_drums_as_librosa_does(bpm: float, sample_rate: int) -> None:
    samples = drums(bpm, sample_rate)
    found = heard(samples, sample_rate)
    assert found is not None
    assert found.bpm == pytest.approx(bpm, rel=0.02)
    assert found.regularity > 0.5
    [librosas] = librosa.feature.tempo(y=samples, sr=sample_rate)
    beats = 60 * sample_rate / HOP_LENGTH / np.array([librosas, found.bpm, 2 * found.bpm, found.bpm / 2])
    assert np.abs(beats[1:] - beats[0]).min() <= 1, "librosa's beats last a whole number of frames"


def test_half_and_double_are_candidates_whose_probabilities_share_the_whole() -> None:
    found = heard(drums(76))
    assert found is not None
    shares = [found.confidence, found.half_confidence, found.double_confidence]
    assert found.double_confidence > 0.01
    assert all(0 <= share <= 1 for share in shares)
    assert sum(shares) <= 1 + 1e-9
    assert found.confidence == max(shares)


def test_an_irregular_beat_is_less_regular() -> None:
    steady, loose, none = (heard(y) for y in (drums(100), drums(100, jitter=0.1), drums(100, jitter=20)[:441_000]))
    assert steady is not None
    assert loose is not None
    assert steady.regularity > 1.3 * loose.regularity
    assert none is None or none.regularity < loose.regularity


@pytest.mark.parametrize("samples", [np.zeros(441_000, np.float32), np.full(441_000, 0.5, np.float32)])
def test_a_signal_without_onsets_has_no_tempo(samples: Float32) -> None:
    assert estimate(np.zeros(1_000, np.float32), 22_050) is None
    found = heard(samples)
    assert found is None or found.regularity < 0.2


def test_a_short_signal_has_no_tempo() -> None:
    assert heard(drums(100, seconds=9.5)) is None
    assert heard(drums(100, seconds=10.5)) is not None


def test_a_long_signal_may_drift() -> None:
    faster = np.concatenate([drums(bpm, seconds=30) for bpm in (98, 99, 100, 101, 102)])
    found = heard(faster)
    assert found is not None
    assert found.bpm == pytest.approx(100, rel=0.04)


def test_the_onset_strength_is_the_mean_rise_of_the_bands() -> None:
    rng = np.random.default_rng(2)
    levels = rng.standard_normal((3, N_MEL_ROWS, LANES)).astype(np.float32)
    meter = OnsetMeter()
    meter.add(levels[:1].reshape(1, -1))
    meter.add(levels[1:].reshape(2, -1))
    in_time = levels[:, :-1].transpose(1, 0, 2).reshape(N_MEL_ROWS - 1, -1)
    expected = np.maximum(np.diff(in_time, axis=1), 0).sum(axis=0)
    np.testing.assert_allclose(meter.finish(40), np.concatenate([[0], expected])[:40], rtol=1e-4)


def test_the_comb_fits_into_the_shortest_audio() -> None:
    slowest_s = 60 / tempo._SLOWEST
    assert len(tempo._COMB) * slowest_s < tempo.SHORTEST_S
    assert OnsetMeter().finish(5).shape == (0,)
    assert 22_050 * slowest_s > HOP_LENGTH * 20

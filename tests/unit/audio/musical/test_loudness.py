"""Loudness and true peak equal what FFmpeg's ebur128 measures, and what the EBU's own test signals must give."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.signal import lfilter
from tests.support.ebur128 import ebur128
from tests.support.feature_clips import music

from segue.audio.musical import k_weighting
from segue.audio.musical.loudness import Loudness, LoudnessMeter, integrated

Float32 = NDArray[np.float32]

WITHIN_LU = 0.1
LAYOUTS = {1: "mono", 2: "stereo", 3: "3.0", 4: "quad", 5: "5.0", 6: "5.1", 8: "7.1"}


def measured(samples: Float32, sample_rate: int, block: int = 131_072) -> Loudness:
    meter = LoudnessMeter(sample_rate, samples.shape[1])
    for start in range(0, len(samples), block):
        meter.add(samples[start : start + block])
    return meter.finish()


def sine(hz: float, level_db: float, seconds: float, sample_rate: int = 48_000, channels: int = 2) -> Float32:
    times = np.arange(round(seconds * sample_rate)) / sample_rate
    tone = 10 ** (level_db / 20) * np.sin(2 * np.pi * hz * times)
    return np.repeat(tone[:, np.newaxis], channels, axis=1).astype(np.float32)


@pytest.mark.parametrize("sample_rate", [8_000, 11_025, 22_050, 44_100, 48_000, 96_000, 192_000])
def test_equals_ebur128_at_every_sample_rate(sample_rate: int) -> None:
    samples = music(sample_rate, 6, 2, seed=sample_rate).T * np.linspace(0.02, 1, 6 * sample_rate)[:, np.newaxis]
    ours, ffmpeg = measured(samples.astype(np.float32), sample_rate), ebur128(samples, sample_rate, "stereo")
    assert ours.integrated_lufs == pytest.approx(ffmpeg.integrated_lufs, abs=WITHIN_LU)
    assert ours.true_peak_dbtp == pytest.approx(ffmpeg.true_peak_dbtp, abs=0.3)


@pytest.mark.parametrize("channels", LAYOUTS)
def test_equals_ebur128_for_every_number_of_channels(channels: int) -> None:
    gains = np.linspace(0.3, 1, channels)[:, np.newaxis]
    samples = np.ascontiguousarray((music(44_100, 4, channels, seed=channels) * gains).T, np.float32)
    ours, ffmpeg = measured(samples, 44_100), ebur128(samples, 44_100, LAYOUTS[channels])
    assert ours.integrated_lufs == pytest.approx(ffmpeg.integrated_lufs, abs=WITHIN_LU)
    assert ours.true_peak_dbtp == pytest.approx(ffmpeg.true_peak_dbtp, abs=0.3)


@pytest.mark.parametrize(
    ("parts", "lufs"),
    [
        ([(-23, 20)], -23.0),
        ([(-33, 20)], -33.0),
        ([(-36, 10), (-23, 60), (-36, 10)], -23.0),
        ([(-72, 10), (-36, 10), (-23, 60), (-36, 10), (-72, 10)], -23.0),
        ([(-26, 20), (-20, 20.1), (-26, 20)], -23.0),
    ],
)
def test_the_signals_of_ebu_tech_3341_have_the_loudness_that_it_requires(
    parts: list[tuple[float, float]], lufs: float
) -> None:
    samples = np.concatenate([sine(1000, level, seconds) for level, seconds in parts])
    assert measured(samples, 48_000).integrated_lufs == pytest.approx(lufs, abs=0.1)


@pytest.mark.parametrize(("phase", "hz"), [(45.0, 12_000), (60.0, 8_000), (67.5, 6_000)])
def test_finds_peaks_between_the_samples(phase: float, hz: float) -> None:
    """As the signals 15 to 18 of EBU Tech 3341: no sample of theirs is at the peak of the wave, -6 dBFS."""
    times = np.arange(48_000) / 48_000
    tone = 0.5 * np.sin(2 * np.pi * hz * times + np.radians(phase)) * np.minimum(1, times * 20)
    found = measured(tone[:, np.newaxis].astype(np.float32), 48_000).true_peak_dbtp
    assert found is not None
    assert -6.4 <= found <= -5.8


@pytest.mark.parametrize("block", [1, 17, 4_409, 65_536])
def test_blocks_of_any_length_give_the_same(block: int) -> None:
    samples = np.ascontiguousarray(music(44_100, 0.7 if block == 1 else 3, 2, seed=4).T)
    assert measured(samples, 44_100, block) == measured(samples, 44_100)


def test_a_peak_in_the_last_sample_counts() -> None:
    samples = np.zeros((44_100, 2), np.float32)
    samples[-1, 1] = -0.5
    assert measured(samples, 44_100).true_peak_dbtp == pytest.approx(20 * np.log10(0.5), abs=0.01)


def test_silence_and_a_short_signal_have_no_loudness() -> None:
    assert measured(np.zeros((44_100, 2), np.float32), 44_100) == (None, None)
    assert measured(sine(1000, -20, 0.35, 44_100), 44_100).integrated_lufs is None
    assert measured(sine(1000, -20, 0.45, 44_100), 44_100).integrated_lufs == pytest.approx(-20, abs=0.2)
    assert measured(sine(1000, -75, 3, 44_100), 44_100).integrated_lufs is None


def test_the_relative_gate_leaves_quiet_passages_out() -> None:
    loud, quiet = np.full(50, 1e-2), np.full(50, 1e-4)
    assert integrated(np.concatenate([loud, quiet])) == pytest.approx(integrated(loud), abs=0.2)


def test_the_coefficients_for_48_khz_are_those_of_the_recommendation() -> None:
    shelf, high_pass = k_weighting.coefficients(48_000)
    np.testing.assert_allclose(shelf[0], [1.53512485958697, -2.69169618940638, 1.19839281085285], atol=1e-8)
    np.testing.assert_allclose(shelf[1], [1.0, -1.69065929318241, 0.73248077421585], atol=1e-8)
    np.testing.assert_allclose(high_pass[0], [1.0, -2.0, 1.0])
    np.testing.assert_allclose(high_pass[1], [1.0, -1.99004745483398, 0.99007225036621], atol=1e-8)


@pytest.mark.parametrize("sample_rate", [8_000, 44_100, 384_000])
def test_filtering_by_blocks_equals_scipys_filter(sample_rate: int) -> None:
    samples = np.random.default_rng(1).standard_normal(16 * 400).astype(np.float32) + np.float32(3)
    expected = samples.astype(np.float64)
    for numerator, denominator in k_weighting.coefficients(sample_rate):
        expected = lfilter(numerator, denominator, expected)
    direct, free, driven, kept = (np.reshape(each, (-1, 16)) for each in k_weighting.blocks(sample_rate))
    state, filtered = np.zeros(16, np.float32), []
    for group in samples.reshape(-1, 16):
        filtered.append(group @ direct + state[:4] @ free)
        state = group @ driven + state[:4] @ kept
    np.testing.assert_allclose(np.concatenate(filtered), expected, atol=2e-4)

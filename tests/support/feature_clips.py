"""Signals that the features are checked on, each a function of nothing but its name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Samples = NDArray[np.float32]


def music(sample_rate: int, seconds: float, channels: int, seed: int) -> Samples:
    """Notes of a scale with overtones, and drums, over faint noise; shape (channels, n)."""
    rng = np.random.default_rng(seed)
    n = int(sample_rate * seconds)
    y = rng.standard_normal((channels, n)) * 1e-4
    beat = 60 / rng.uniform(70, 160) / 2
    detuned = rng.uniform(-0.4, 0.4)
    for start in np.arange(0, n, int(beat * sample_rate)):
        for _ in range(rng.integers(1, 4)):
            midi = 50 + detuned + rng.choice([0, 2, 4, 5, 7, 9, 11]) + 12 * rng.integers(-1, 3)
            hz = 440 * 2 ** ((midi - 69) / 12)
            times = np.arange(min(int(beat * rng.integers(1, 6) * sample_rate), n - start)) / sample_rate
            note = np.zeros_like(times)
            for overtone in range(1, int(min(sample_rate / 2, 17_000) / hz)):
                amplitude = rng.uniform(0.2, 1) / overtone**1.3
                note += (
                    amplitude * np.sin(2 * np.pi * hz * overtone * times) * np.exp(-times * (1 + overtone * 0.4))
                )
            y[:, start : start + len(times)] += (
                note * np.minimum(times / 0.005, 1) * rng.uniform(0.2, 1, (channels, 1))
            )
        if rng.random() < 0.6:
            times = np.arange(min(int(0.08 * sample_rate), n - start)) / sample_rate
            y[:, start : start + len(times)] += rng.standard_normal(len(times)) * np.exp(-60 * times) * 0.5
    return (y / np.abs(y).max() * 0.9).astype(np.float32)


def low_passed(sample_rate: int = 44100, cutoff_hz: float = 16_000) -> Samples:
    """Music without anything above the cutoff, as encoders leave it."""
    y = music(sample_rate, 4, 2, seed=5)
    spectrum = np.fft.rfft(y)
    spectrum[:, np.fft.rfftfreq(y.shape[1], 1 / sample_rate) > cutoff_hz] = 0
    return np.fft.irfft(spectrum, y.shape[1]).astype(np.float32)


def noise(sample_rate: int, seconds: float, level: float = 0.2) -> Samples:
    rng = np.random.default_rng(3)
    return (rng.standard_normal((2, int(sample_rate * seconds))) * level).astype(np.float32)


def tone() -> Samples:
    return (0.5 * np.sin(2 * np.pi * 440 * np.arange(150_000) / 44100)).astype(np.float32)


def click() -> Samples:
    """One sample over the noise of 16 bits; over nothing, there is but librosa's own rounding to compare with."""
    y = noise(44100, 2, level=2e-5)[0]
    y[30_000] = 0.9
    return y


CLIPS: dict[str, tuple[Callable[[], Samples], int]] = {
    "music, 44.1 kHz stereo": (lambda: music(44100, 6, 2, seed=1), 44100),
    "music, 48 kHz stereo": (lambda: music(48000, 4, 2, seed=2), 48000),
    "music, 32 kHz stereo": (lambda: music(32000, 4, 2, seed=7), 32000),
    "music, 22.05 kHz mono": (lambda: music(22050, 8, 1, seed=3), 22050),
    "music, 16 kHz mono": (lambda: music(16000, 5, 1, seed=8), 16000),
    "music, 8 kHz mono": (lambda: music(8000, 8, 1, seed=4), 8000),
    "music, 96 kHz stereo": (lambda: music(96000, 3, 2, seed=9), 96000),
    "music, 192 kHz stereo": (lambda: music(192000, 3, 2, seed=6), 192000),
    "music, 6 channels": (lambda: music(44100, 2, 6, seed=10), 44100),
    "music, low-passed": (low_passed, 44100),
    "a second of music": (lambda: music(44100, 1, 2, seed=11), 44100),
    "a tenth of a second": (lambda: music(44100, 0.1, 2, seed=12), 44100),
    "one sample less than whole hops": (lambda: music(44100, 2, 1, seed=13)[:, : 512 * 120 - 1], 44100),
    "silence": (lambda: np.zeros((2, 50_000), np.float32), 44100),
    "white noise": (lambda: noise(44100, 4), 44100),
    "a pure tone": (tone, 44100),
    "a click": (click, 44100),
}

"""Estimate the tuning of a recording from the peaks of its spectra, as ``librosa.estimate_tuning`` does.

Both chromagrams need it. The constant-Q transform uses peaks of magnitudes, the spectrogram peaks of powers. The
peaks are in the same bins, but their interpolated frequencies and heights differ.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import N_FFT
from segue.audio.kernels.compiled import compiled
from segue.audio.kernels.selection import medians
from segue.audio.kernels.stft import LANES
from segue.audio.kernels.vectors import above, first_lane, load, splat

Float32 = NDArray[np.float32]

_MIN_HZ: Final = 150.0
_MAX_HZ: Final = 4000.0
_THRESHOLD: Final = np.float32(0.1)
"""Share of the frame's largest value. Lower peaks do not count."""

_A0_HZ: Final = np.float32(27.5)

_EDGES: Final = np.linspace(-0.5, 0.5, 101)
"""Edges of the histogram of deviations, in semitones."""


def estimate(peaks: list[Float32]) -> float:
    """Find the most frequent deviation from A4 = 440 Hz among the peaks of at least median height.

    Parameters
    ----------
    peaks : list of np.ndarray [shape=(2, any), dtype=float32]
        Frequencies in Hz, and heights, of all frames.

    Returns
    -------
    float
        In semitones, between -0.5 and 0.5.
    """
    if not peaks:
        return 0.0
    frequencies, heights = np.concatenate(peaks, axis=1)
    if not len(heights):
        return 0.0
    # The larger middle value works like the median, because no height is between the two.
    loud = np.compress(heights >= medians(heights[np.newaxis], upper=True), frequencies)
    semitones = np.float32(12) * np.log2(loud / _A0_HZ)
    deviations = semitones - np.floor(semitones)
    deviations -= deviations >= np.float32(0.5)
    return float(_EDGES[_histogram(deviations, _EDGES).argmax()])


class Range(NamedTuple):
    """Bins between 150 and 4,000 Hz."""

    first: int
    end: int
    hz_per_bin: float


def peak_range(bins_rate: float) -> Range:
    """Return the range of bins in which peaks count.

    Parameters
    ----------
    bins_rate : float
        Sample rate that labels the bins, in Hz.
    """
    frequencies = np.fft.rfftfreq(N_FFT, 1 / bins_rate)
    inside = np.flatnonzero((frequencies >= _MIN_HZ) & (frequencies < min(_MAX_HZ, bins_rate / 2)))
    return Range(int(inside[0]), int(inside[-1]) + 1, bins_rate / N_FFT)


@compiled
def find_peaks(spectrum: Float32, largest: Float32, n_frames: int, range_: Range, found: Float32, n: int) -> int:
    """Find the peaks of 16 frames.

    Parameters
    ----------
    spectrum : np.ndarray [shape=(1025 * 16,), dtype=float32]
        Magnitudes or powers.
    largest : np.ndarray [shape=(16,), dtype=float32]
        Largest value of each frame.
    n_frames : int
        Number of valid frames; the last lanes may be padding.
    range_ : Range
        From `peak_range`.
    found : np.ndarray [shape=(2, any), dtype=float32]
        Receives frequencies in Hz, and heights, in any order.
    n : int
        Number of peaks in ``found`` before.

    Returns
    -------
    int
        Number of peaks in ``found`` after.
    """
    half = np.float32(0.5)
    counted = (1 << max(0, min(LANES, n_frames))) - 1
    limit = splat(_THRESHOLD) * load(largest, 0)
    left, middle = load(spectrum, (range_.first - 1) * LANES), load(spectrum, range_.first * LANES)
    for k in range(range_.first, range_.end):
        right = load(spectrum, (k + 1) * LANES)
        peaks = above(middle, limit) & above(middle, left) & ~above(right, middle) & counted
        left, middle = middle, right
        while peaks:
            at = k * LANES + first_lane(peaks)
            peaks &= peaks - 1
            before, height, after = spectrum[at - LANES], spectrum[at], spectrum[at + LANES]
            curvature = np.float64(before + after) - 2.0 * height
            slope = np.float64(after - before) / 2.0
            shift = np.float32(-slope / curvature) if abs(slope) < abs(curvature) else np.float32(0)
            found[0, n] = (k + np.float64(shift)) * range_.hz_per_bin
            found[1, n] = height + half * (half * (after - before)) * shift
            n += 1
    return n


@compiled
def _histogram(values: Float32, edges: NDArray[np.float64]) -> NDArray[np.int64]:
    """Count like `numpy.histogram` in double precision."""
    n_bins = len(edges) - 1
    counts = np.zeros(n_bins, np.int64)
    for i in range(len(values)):
        value = np.float64(values[i])
        at = min(int((value - edges[0]) * n_bins), n_bins - 1)
        if value < edges[at]:
            at -= 1
        elif value >= edges[at + 1] and at < n_bins - 1:
            at += 1
        counts[at] += 1
    return counts

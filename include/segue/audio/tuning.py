"""Tuning of a recording, from the peaks of its spectra, as ``librosa.estimate_tuning`` finds it.

Both chromagrams need it: the constant-Q transform's from magnitudes, the spectrogram's from powers. The peaks are
the same, their interpolated frequencies and heights are not.
"""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio.compiled import compiled
from segue.audio.definition import N_FFT
from segue.audio.stft import LANES

Float32 = NDArray[np.float32]

_MIN_HZ: Final = 150.0
_MAX_HZ: Final = 4000.0
_THRESHOLD: Final = np.float32(0.1)
"""Of the frame's largest value: lower peaks do not count."""

_A0_HZ: Final = np.float32(27.5)


class Peaks(NamedTuple):
    """Peaks of some frames."""

    frequencies: Float32
    """In Hz."""
    heights: Float32


def estimate(peaks: list[Peaks]) -> float:
    """Find the deviation from A4 = 440 Hz that most peaks of at least median height share.

    Parameters
    ----------
    peaks : list of Peaks
        Of all frames.

    Returns
    -------
    float
        In semitones, between -0.5 and 0.5.
    """
    heights = np.concatenate([part.heights for part in peaks])
    frequencies = np.concatenate([part.frequencies for part in peaks])
    if not len(heights):
        return 0.0
    # No height lies between the median and the larger of the two in the middle.
    middle = len(heights) // 2
    loud = np.compress(heights >= np.partition(heights, middle)[middle], frequencies)
    semitones = np.float32(12) * np.log2(loud / _A0_HZ)
    deviations = semitones - np.floor(semitones)
    deviations -= deviations >= np.float32(0.5)
    counts, edges = np.histogram(deviations.astype(np.float64), bins=100, range=(-0.5, 0.5))
    return float(edges[counts.argmax()])


class PeakFinder:
    """Finds the peaks between 150 and 4,000 Hz.

    Parameters
    ----------
    bins_rate : float
        Sample rate that labels the bins, in Hz.
    """

    def __init__(self, bins_rate: float) -> None:
        frequencies = np.fft.rfftfreq(N_FFT, 1 / bins_rate)
        inside = np.flatnonzero((frequencies >= _MIN_HZ) & (frequencies < min(_MAX_HZ, bins_rate / 2)))
        self._first, self._end = int(inside[0]), int(inside[-1]) + 1
        self._hz_per_bin = bins_rate / N_FFT

    def find(self, spectra: Float32, largest: Float32, n_frames: int) -> Peaks:
        """Find the peaks of some frames.

        Parameters
        ----------
        spectra : np.ndarray [shape=(n, 1025 * 16), dtype=float32]
            Magnitudes or powers.
        largest : np.ndarray [shape=(n, 16), dtype=float32]
            Largest value of each frame.
        n_frames : int
            How many frames count; the last lanes may hold none.

        Returns
        -------
        Peaks
            In no order that matters.
        """
        # What is no peak is written too, and the next overwrites it.
        capacity = n_frames * (self._end - self._first) + 1
        peaks = Peaks(np.empty(capacity, np.float32), np.empty(capacity, np.float32))
        n = _find(spectra, largest, n_frames, self._first, self._end, self._hz_per_bin, *peaks)
        return Peaks(peaks.frequencies[:n].copy(), peaks.heights[:n].copy())


@compiled
def _find(
    spectra: Float32,
    largest: Float32,
    n_frames: int,
    first: int,
    end: int,
    hz_per_bin: float,
    frequencies: Float32,
    heights: Float32,
) -> int:
    n = 0
    limits = np.empty(LANES, np.float32)
    peak = np.empty(LANES, np.uint8)
    for batch in range(len(spectra)):
        n_lanes = min(LANES, n_frames - batch * LANES)
        for lane in range(LANES):
            limits[lane] = _THRESHOLD * largest[batch, lane]
        for k in range(first, end):
            x = spectra[batch, (k - 1) * LANES : (k + 2) * LANES]
            any_peak = np.uint8(0)
            for lane in range(LANES):
                left, middle, right = x[lane], x[LANES + lane], x[2 * LANES + lane]
                peak[lane] = (middle > limits[lane]) & (middle > left) & (middle >= right)
                any_peak |= peak[lane]
            if any_peak == 0:
                continue
            for lane in range(n_lanes):
                left, middle, right = x[lane], x[LANES + lane], x[2 * LANES + lane]
                curvature = np.float64(left + right) - 2.0 * middle
                slope = np.float64(right - left) / 2.0
                shift = np.float32(-slope / curvature) if abs(slope) < abs(curvature) else np.float32(0)
                frequencies[n] = (k + np.float64(shift)) * hz_per_bin
                heights[n] = middle + np.float32(0.5) * (np.float32(0.5) * (right - left)) * shift
                n += peak[lane]
    return n

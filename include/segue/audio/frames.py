"""First pass over a signal: all that a frame gives before the recording's tuning and loudest frame are known."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio import banks, contrast, descriptors, stft
from segue.audio.definition import HOP_LENGTH, N_FFT
from segue.audio.signal import count_crossings
from segue.audio.stft import LANES, N_BINS
from segue.audio.tuning import PeakFinder, Peaks

Float32 = NDArray[np.float32]

_BATCHES_AT_ONCE: Final = 8
"""Their spectra, and what is made of them, stay in the second-level cache."""

_BATCH: Final = LANES * HOP_LENGTH
_CONTEXT: Final = N_FFT // 2
"""A frame begins that many samples before its time."""


class Batches(NamedTuple):
    """What some batches of 16 frames give; the first axis is the batch, the last the frame within it."""

    power: Float32
    """Spectra, shape (n, 1025, 16)."""
    moments: Float32
    """Shape (n, 5, 16), see `descriptors.moments`."""
    mel: Float32
    """Power in mel bands, shape (n, 128, 16)."""
    extremes: Float32
    """Peaks, then valleys of the contrast's bands, shape (n, 2 * n_bands, 16)."""
    crossings: NDArray[np.int64]
    """Zero crossings of the hops, and at their first samples, shape (2, 16 * n)."""


class FirstPass:
    """Takes a mono signal in blocks and computes its frames in batches of 16.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    bins_rate : int
        Sample rate that labels the bins, in Hz.
    """

    def __init__(self, sample_rate: int, bins_rate: int) -> None:
        self._mel = banks.mel(sample_rate)
        self._bands = banks.contrast(bins_rate)
        self._cqt_finder = PeakFinder(sample_rate)
        self._stft_finder = PeakFinder(bins_rate)
        self._tables = stft.tables()
        self._workspace = stft.workspace()
        self._lanes = stft.aligned(descriptors.N_LANES)
        self._lists = contrast.workspace()
        self._magnitude = stft.aligned(_BATCHES_AT_ONCE, N_BINS * LANES)
        self._pending: Float32 = np.zeros(_CONTEXT, np.float32)
        self.cqt_peaks: list[Peaks] = []
        self.stft_peaks: list[Peaks] = []
        self.batches: list[Batches] = []
        self.n_samples = 0
        self._n_batches = 0
        self._last = np.float32(0)

    @property
    def n_frames(self) -> int:
        """Frames of the signal taken so far, if it ends here."""
        return 1 + self.n_samples // HOP_LENGTH

    def add(self, samples: Float32) -> None:
        """Take the next samples, shape (n,)."""
        if not len(samples):
            return
        self.n_samples += len(samples)
        self._last = samples[-1]
        signal = np.concatenate([self._pending, samples])
        n = (len(signal) - N_FFT + HOP_LENGTH) // _BATCH
        self._compute(signal, n, n * LANES)
        self._pending = signal[n * _BATCH :]

    def finish(self) -> None:
        """Compute the last frames, which reach beyond the end."""
        n_frames = self.n_frames - self._n_batches * LANES
        n = -(-n_frames // LANES)
        signal = np.zeros(n * _BATCH + N_FFT, np.float32)
        signal[: len(self._pending)] = self._pending
        self._compute(signal, n, n_frames)

    def _compute(self, signal: Float32, n_batches: int, n_frames: int) -> None:
        for start in range(0, n_batches, _BATCHES_AT_ONCE):
            n = min(_BATCHES_AT_ONCE, n_batches - start)
            self._compute_some(signal[start * _BATCH :], n, n_frames - start * LANES)

    def _compute_some(self, signal: Float32, n: int, n_frames: int) -> None:
        magnitude = self._magnitude[:n]
        batches = Batches(
            power=stft.aligned(n, N_BINS * LANES),
            moments=np.empty((n, descriptors.N_MOMENTS * LANES), np.float32),
            mel=np.empty((n, descriptors.N_MEL_ROWS * LANES), np.float32),
            extremes=np.empty((n, 2 * len(self._bands.counts) * LANES), np.float32),
            crossings=np.empty((2, n * LANES), np.int64),
        )
        stft.power_spectra(signal, self._tables, self._workspace, batches.power)
        descriptors.moments(batches.power, magnitude, self._lanes, batches.moments)
        descriptors.mel_bands(batches.power, self._mel, batches.mel)
        contrast.extremes(magnitude, *self._bands, self._lists, batches.extremes)
        count_crossings(signal, _CONTEXT, *batches.crossings)
        largest = batches.moments[:, descriptors.LARGEST * LANES :]
        self.cqt_peaks.append(self._cqt_finder.find(magnitude, largest, n_frames))
        self.stft_peaks.append(self._stft_finder.find(batches.power, largest * largest, n_frames))
        self.batches.append(batches)
        self._n_batches += n

    def zero_crossing_rate(self) -> Float32:
        """Compute the rate, shape (1, n_frames)."""
        counts, at_start = np.concatenate([batch.crossings for batch in self.batches], axis=1)
        # The signal goes on with its first and last sample at either side, so that its ends are no crossings.
        counts[0] -= at_start[0]
        at_start[0] = 0
        if self._last < -1e-10:
            end, within = divmod(self.n_samples, HOP_LENGTH)
            if end < len(counts):
                counts[end] -= 1
                at_start[end] -= within == 0
        n = self.n_frames
        hops = np.zeros((2, n + 3), np.int64)
        m = min(len(counts), n + 1)
        hops[0, 2 : 2 + m], hops[1, 2 : 2 + m] = counts[:m], at_start[:m]
        inside = hops[0, :n] + hops[0, 1 : n + 1] + hops[0, 2 : n + 2] + hops[0, 3 : n + 3] - hops[1, :n]
        return (inside / N_FFT).astype(np.float32)[np.newaxis]


def series(parts: list[Any], n_frames: int) -> Float32:
    """Put batches in the order of time.

    Parameters
    ----------
    parts : list of np.ndarray [shape=(n, rows * 16)]
        Batches.
    n_frames : int
        How many frames count.

    Returns
    -------
    np.ndarray [shape=(rows, n_frames), dtype=float32]
    """
    batches = np.concatenate(parts)
    rows = batches.reshape(len(batches), -1, LANES).transpose(1, 0, 2)
    return rows.reshape(rows.shape[0], -1)[:, :n_frames]

"""First pass over a signal: all that a frame gives before the recording's tuning and loudest frame are known."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.audio import banks, contrast, descriptors, stft
from segue.audio.definition import HOP_LENGTH, N_FFT
from segue.audio.signal import count_crossings
from segue.audio.spool import Spool
from segue.audio.stft import LANES, N_BINS
from segue.audio.tuning import PeakFinder, Peaks

Float32 = NDArray[np.float32]

BATCHES_AT_ONCE: Final = 4
"""Their spectra, and what is made of them, stay in the second-level cache."""

_BATCH: Final = LANES * HOP_LENGTH
_CONTEXT: Final = N_FFT // 2
"""A frame begins that many samples before its time."""


_KEPT_GROUPS: Final = 320
"""4 minutes at 44.1 kHz, 84 MB. The spectra of longer signals are computed again when the tuning is known."""


class Framer:
    """Cuts a signal that comes in blocks into groups of whole batches of 16 frames."""

    def __init__(self) -> None:
        self.n_samples = 0
        self._pending: Float32 = np.zeros(_CONTEXT, np.float32)
        self._n_frames = 0

    def add(self, samples: Float32) -> list[tuple[Float32, int, int]]:
        """Take the next samples.

        Returns
        -------
        list of (np.ndarray, int, int)
            Samples from the first frame's first on, batches, frames that count.
        """
        self.n_samples += len(samples)
        # Only what begins before the new samples needs a copy of some of them.
        n_begun = -(-len(self._pending) // _BATCH)
        n_copied = n_begun * _BATCH + N_FFT - HOP_LENGTH - len(self._pending)
        signal = np.concatenate([self._pending, samples[:n_copied]])
        if n_copied > len(samples):
            n_batches = max(0, (len(signal) - N_FFT + HOP_LENGTH) // _BATCH)
            self._pending = signal[n_batches * _BATCH :]
            return self._groups(signal, n_batches, n_batches * LANES)
        groups = self._groups(signal, n_begun, n_begun * LANES)
        rest = samples[n_begun * _BATCH - len(self._pending) :]
        n_batches = max(0, (len(rest) - N_FFT + HOP_LENGTH) // _BATCH)
        self._pending = rest[n_batches * _BATCH :].copy()
        return groups + self._groups(rest, n_batches, n_batches * LANES)

    def finish(self) -> list[tuple[Float32, int, int]]:
        """Give the last frames, which reach beyond the end."""
        n_frames = 1 + self.n_samples // HOP_LENGTH - self._n_frames
        n_batches = -(-n_frames // LANES)
        signal = np.zeros(n_batches * _BATCH + N_FFT, np.float32)
        signal[: len(self._pending)] = self._pending
        return self._groups(signal, n_batches, n_frames)

    def _groups(self, signal: Float32, n_batches: int, n_frames: int) -> list[tuple[Float32, int, int]]:
        self._n_frames += n_frames
        return [
            (
                signal[start * _BATCH :],
                min(BATCHES_AT_ONCE, n_batches - start),
                min(BATCHES_AT_ONCE * LANES, n_frames - start * LANES),
            )
            for start in range(0, n_batches, BATCHES_AT_ONCE)
        ]


class Spectra:
    """Computes power spectra."""

    def __init__(self) -> None:
        self._tables = stft.tables()
        self._workspace = stft.workspace()
        self._power = stft.aligned(BATCHES_AT_ONCE, N_BINS * LANES)

    def compute(self, signal: Float32, n_batches: int) -> Float32:
        """Compute some batches.

        Parameters
        ----------
        signal : np.ndarray [shape=(at least 8192 * n_batches + 1536,), dtype=float32]
            Samples from the first frame's first on.
        n_batches : int
            At most `BATCHES_AT_ONCE`.

        Returns
        -------
        np.ndarray [shape=(n_batches, 1025 * 16), dtype=float32]
            Squared magnitudes, overwritten by the next call.
        """
        power = self._power[:n_batches]
        stft.power_spectra(signal, self._tables, *self._workspace, power)
        return power


class FirstPass:
    """Takes a mono signal in blocks and keeps what its frames give.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    bins_rate : int
        Sample rate that labels the bins, in Hz.
    """

    def __init__(self, sample_rate: int, bins_rate: int) -> None:
        self._mel = _mel_steps(sample_rate)
        self._bands = banks.contrast(bins_rate)
        self._lanes = stft.aligned(descriptors.N_LANES)
        self._magnitude = stft.aligned(BATCHES_AT_ONCE, N_BINS * LANES)
        self._lists = contrast.workspace()
        self._framer = Framer()
        self._spectra = Spectra()
        self._cqt_finder = PeakFinder(sample_rate)
        self._stft_finder = PeakFinder(bins_rate)
        self._crossings: list[NDArray[np.int32]] = []
        self._ends_below_zero = False
        self.cqt_peaks: list[Peaks] = []
        self.stft_peaks: list[Peaks] = []
        self.moments: list[Float32] = []
        self.extremes: list[Float32] = []
        self.mel = Spool()
        self.magnitudes: list[Float32] | None = []
        """None if there were too many."""

    @property
    def n_samples(self) -> int:
        """Samples taken so far."""
        return self._framer.n_samples

    @property
    def n_frames(self) -> int:
        """Frames of the signal, if it ends here."""
        return 1 + self.n_samples // HOP_LENGTH

    def add(self, samples: Float32) -> None:
        """Take the next samples, shape (n,)."""
        if len(samples):
            self._ends_below_zero = bool(samples[-1] < -1e-10)
            for group in self._framer.add(samples):
                self._compute(*group)

    def finish(self) -> None:
        """Compute the last frames."""
        for group in self._framer.finish():
            self._compute(*group)

    def _compute(self, signal: Float32, n: int, n_frames: int) -> None:
        power = self._spectra.compute(signal, n)
        # Where they are kept the magnitudes are written there: a copy would cost 1 ms a clip.
        magnitude = self._magnitude[:n] if self.magnitudes is None else stft.aligned(n, N_BINS * LANES)
        moments = np.empty((n, descriptors.N_MOMENTS * LANES), np.float32)
        mel = np.empty((n, descriptors.N_MEL_ROWS * LANES), np.float32)
        extremes = np.empty((n, 2 * len(self._bands.counts) * LANES), np.float32)
        crossings = np.empty((2, n * LANES), np.int32)
        descriptors.moments(power, magnitude, self._lanes, moments)
        descriptors.mel_bands(power, self._mel, mel)
        contrast.extremes(magnitude, *self._bands, self._lists, extremes)
        count_crossings(signal, _CONTEXT, *crossings)
        largest = moments[:, descriptors.LARGEST * LANES : (descriptors.LARGEST + 1) * LANES].copy()
        self.cqt_peaks.append(self._cqt_finder.find(magnitude, largest, n_frames))
        self.stft_peaks.append(self._stft_finder.find(power, largest * largest, n_frames))
        self.moments.append(moments)
        self.mel.append(mel)
        self.extremes.append(extremes)
        self._crossings.append(crossings)
        if self.magnitudes is not None:
            self.magnitudes.append(magnitude)
            if len(self.magnitudes) > _KEPT_GROUPS:
                self.magnitudes = None

    def zero_crossing_rate(self) -> Float32:
        """Give the rate of each frame, shape (1, n_frames)."""
        counts, at_start = np.concatenate(self._crossings, axis=1)
        # The signal goes on with its first and last sample at either side, so that its ends are no crossings.
        counts[0] -= at_start[0]
        at_start[0] = 0
        end, within = divmod(self.n_samples, HOP_LENGTH)
        if self._ends_below_zero and end < len(counts):
            counts[end] -= 1
            at_start[end] -= within == 0
        # Frame t reaches over the hops from t - 2 to t + 1, without the way to its first sample.
        n = self.n_frames
        counts = np.pad(counts[: n + 1], (2, n + 1 - len(counts[: n + 1])))
        at_start = np.pad(at_start[: n - 2], (2, 0))[:n] if n > 2 else np.zeros(n, np.int32)
        inside = counts[:n] + counts[1 : n + 1] + counts[2 : n + 2] + counts[3 : n + 3] - at_start
        rate: Float32 = (inside / N_FFT).astype(np.float32)
        return rate[np.newaxis]


@lru_cache(maxsize=16)
def _mel_steps(sample_rate: int) -> descriptors.Mel:
    return descriptors.mel_steps(banks.mel(sample_rate))


def series(parts: list[Float32], n_frames: int) -> Float32:
    """Put batches in the order of time.

    Parameters
    ----------
    parts : list of np.ndarray [shape=(n, rows, 16) or (n, rows * 16)]
        Batches.
    n_frames : int
        How many frames count.

    Returns
    -------
    np.ndarray [shape=(rows, n_frames), dtype=float32]
    """
    batches = np.concatenate(parts)
    rows: Float32 = batches.reshape(len(batches), -1, LANES).transpose(1, 0, 2)
    return rows.reshape(len(rows), -1)[:, :n_frames]

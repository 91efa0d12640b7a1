"""First pass over a signal: all values of a frame that do not depend on the tuning or the loudest frame."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import HOP_LENGTH, N_BINS, N_FFT
from segue.audio.kernels import banks, contrast, descriptors, stft
from segue.audio.kernels.compiled import compiled
from segue.audio.kernels.frames import CONTEXT, Framer, Run
from segue.audio.kernels.signal import SILENCE, count_crossings
from segue.audio.kernels.spool import Spool
from segue.audio.kernels.stft import LANES
from segue.audio.kernels.tuning import Range, find_peaks, peak_range

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]
Int32 = NDArray[np.int32]

_AT_ONCE: Final = 2**17
"""Samples computed at once, which limits the allocated memory."""

_KEPT_BATCHES: Final = 1280
"""Number of batches whose spectra are kept: 4 minutes at 44.1 kHz, 84 MB. Longer signals are transformed again."""


class _Constants(NamedTuple):
    stft: stft.Tables
    mel: descriptors.Mel
    bands: banks.Bands
    cqt_range: Range
    stft_range: Range


class _Memory(NamedTuple):
    """Working memory. Its content is not used after a batch."""

    tile: Float32
    work: Float64
    power: Float32
    lanes: Float32
    lists: Float32


class _Results(NamedTuple):
    """Results of a run. The first axis is the batch; each batch has rows of 16 frames."""

    magnitudes: Float32
    """Magnitudes of all batches, or only of the current one."""
    moments: Float32
    mel: Float32
    extremes: Float32
    crossings: Int32
    """Zero crossings of each hop, and those at its first sample, shape (2, n_hops). See `count_crossings`."""
    cqt_peaks: Float32
    stft_peaks: Float32


class FirstPass:
    """Computes the frames of a mono signal that comes in blocks, and stores the results.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    bins_rate : int
        Sample rate that labels the bins, in Hz.
    """

    def __init__(self, sample_rate: int, bins_rate: int) -> None:
        self._constants = _constants(sample_rate, bins_rate)
        self._memory = _Memory(
            *stft.workspace(),
            power=stft.aligned(N_BINS * LANES),
            lanes=stft.aligned(descriptors.N_LANES),
            lists=contrast.workspace(),
        )
        self._framer = Framer()
        self._crossings: list[Int32] = []
        self._ends_below_zero = False
        self._n_batches = 0
        self.cqt_peaks: list[Float32] = []
        self.stft_peaks: list[Float32] = []
        self.moments: list[Float32] = []
        self.extremes: list[Float32] = []
        self.mel = Spool()
        self.magnitudes: list[Float32] | None = []
        """Magnitudes of all batches, or None if there are too many."""

    @property
    def n_samples(self) -> int:
        """Number of samples so far."""
        return self._framer.n_samples

    @property
    def n_frames(self) -> int:
        """Number of frames, if the signal ends here."""
        return 1 + self.n_samples // HOP_LENGTH

    def add(self, samples: Float32) -> None:
        """Add the next samples, shape (n,)."""
        for start in range(0, len(samples), _AT_ONCE):
            block = samples[start : start + _AT_ONCE]
            self._ends_below_zero = bool(block[-1] < SILENCE)
            for run in self._framer.add(block):
                self._compute(run)

    def finish(self) -> None:
        """Compute the last frames."""
        self._compute(self._framer.finish())

    def _compute(self, run: Run) -> None:
        n = run.n_batches
        self._n_batches += n
        if self._n_batches > _KEPT_BATCHES:
            self.magnitudes = None
        peaks_capacity = _peaks_capacity(self._constants, run.n_frames)
        results = _Results(
            magnitudes=stft.aligned(1 if self.magnitudes is None else n, N_BINS * LANES),
            moments=np.empty((n, descriptors.N_MOMENTS * LANES), np.float32),
            mel=np.empty((n, descriptors.N_MEL_ROWS * LANES), np.float32),
            extremes=np.empty((n, 2 * len(self._constants.bands.counts) * LANES), np.float32),
            crossings=np.empty((2, n * LANES), np.int32),
            cqt_peaks=np.empty((2, peaks_capacity), np.float32),
            stft_peaks=np.empty((2, peaks_capacity), np.float32),
        )
        n_cqt, n_stft = _compute(run, self._constants, self._memory, results)
        self.cqt_peaks.append(results.cqt_peaks[:, :n_cqt].copy())
        self.stft_peaks.append(results.stft_peaks[:, :n_stft].copy())
        self.moments.append(results.moments)
        self.mel.append(results.mel)
        self.extremes.append(results.extremes)
        self._crossings.append(results.crossings)
        if self.magnitudes is not None:
            self.magnitudes.append(results.magnitudes)

    def zero_crossing_rate(self) -> Float32:
        """Return the zero crossing rate of each frame, shape (1, n_frames)."""
        counts, at_start = np.concatenate(self._crossings, axis=1)
        # The signal is padded with its first and last sample, so its ends are not crossings.
        counts[0] -= at_start[0]
        at_start[0] = 0
        end, within = divmod(self.n_samples, HOP_LENGTH)
        if self._ends_below_zero and end < len(counts):
            counts[end] -= 1
            at_start[end] -= within == 0
        # Frame t covers the hops t - 2 to t + 1, without the crossing at its first sample.
        n = self.n_frames
        hops = np.zeros(n + 3, np.int32)
        hops[2 : 2 + len(counts)] = counts[: n + 1]
        inside = hops[:n] + hops[1 : n + 1] + hops[2 : n + 2] + hops[3:]
        inside[2:] -= at_start[: max(n - 2, 0)]
        rate: Float32 = (inside / N_FFT).astype(np.float32)
        return rate[np.newaxis]


@lru_cache(maxsize=16)
def _constants(sample_rate: int, bins_rate: int) -> _Constants:
    return _Constants(
        stft=stft.tables(),
        mel=descriptors.mel_steps(banks.mel(sample_rate)),
        bands=banks.contrast(bins_rate),
        cqt_range=peak_range(sample_rate),
        stft_range=peak_range(bins_rate),
    )


def _peaks_capacity(constants: _Constants, n_frames: int) -> int:
    # Of two neighbouring bins, at most one is a peak.
    return n_frames * max(
        (range_.end - range_.first + 1) // 2 for range_ in (constants.cqt_range, constants.stft_range)
    )


@compiled
def _compute(run: Run, constants: _Constants, memory: _Memory, results: _Results) -> tuple[int, int]:
    """Compute a run batch by batch, so that a spectrum stays in the second-level cache while it is used.

    Returns
    -------
    (int, int)
        Number of peaks for the constant-Q transform, and for the spectrogram.
    """
    n_cqt = n_stft = 0
    power, squares = memory.power, memory.lanes[:LANES]
    for i in range(run.n_batches):
        magnitude, moments = results.magnitudes[i % len(results.magnitudes)], results.moments[i]
        stft.power_spectra(run.signal[i * LANES * HOP_LENGTH :], constants.stft, memory.tile, memory.work, power)
        descriptors.moments(power, magnitude, memory.lanes, moments)
        descriptors.mel_bands(power, constants.mel, results.mel[i])
        contrast.extremes(magnitude, constants.bands, memory.lists, results.extremes[i])
        largest = moments[descriptors.LARGEST * LANES : (descriptors.LARGEST + 1) * LANES]
        for lane in range(LANES):
            squares[lane] = largest[lane] * largest[lane]
        n_frames = run.n_frames - i * LANES
        n_cqt = find_peaks(magnitude, largest, n_frames, constants.cqt_range, results.cqt_peaks, n_cqt)
        n_stft = find_peaks(power, squares, n_frames, constants.stft_range, results.stft_peaks, n_stft)
    count_crossings(run.signal, CONTEXT, results.crossings[0], results.crossings[1])
    return n_cqt, n_stft


def magnitudes_again(blocks: Iterable[Float32]) -> Iterator[Float32]:
    """Compute the magnitudes of a whole signal again.

    Parameters
    ----------
    blocks : iterable of np.ndarray [shape=(n,), dtype=float32]
        The signal.

    Yields
    ------
    np.ndarray [shape=(1, 1025 * 16), dtype=float32]
        Magnitudes of 16 frames. The next ones overwrite the array.
    """
    framer, tables, (tile, work) = Framer(), stft.tables(), stft.workspace()
    magnitudes = stft.aligned(1, N_BINS * LANES)

    def runs() -> Iterator[Run]:
        for block in blocks:
            yield from framer.add(block)
        yield framer.finish()

    for run in runs():
        for i in range(run.n_batches):
            stft.power_spectra(run.signal[i * LANES * HOP_LENGTH :], tables, tile, work, magnitudes[0])
            yield np.sqrt(magnitudes, out=magnitudes)

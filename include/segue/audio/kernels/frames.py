"""Frames of a signal that comes in blocks, 16 frames at a time, and their series in the order of time."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import HOP_LENGTH, N_FFT
from segue.audio.kernels.stft import LANES

Float32 = NDArray[np.float32]

BATCH: Final = LANES * HOP_LENGTH
"""Samples from one batch of 16 frames to the next."""

CONTEXT: Final = N_FFT // 2
"""Number of samples by which a frame begins before its time."""


class Run(NamedTuple):
    """Consecutive frames."""

    signal: Float32
    """Samples, beginning with the first of the first frame."""
    n_batches: int
    """Number of batches of 16 frames."""
    n_frames: int
    """Number of valid frames; the others are padding."""


class Framer:
    """Divides a signal that comes in blocks into runs of whole batches of 16 frames."""

    def __init__(self) -> None:
        self.n_samples = 0
        self._pending: Float32 = np.zeros(CONTEXT, np.float32)
        self._n_frames = 0

    def add(self, samples: Float32) -> list[Run]:
        """Add the next samples, shape (n,), and return the frames that they complete."""
        self.n_samples += len(samples)
        # A batch that begins before the new samples needs a copy of some of them. Other batches need no copy.
        n_begun = -(-len(self._pending) // BATCH)
        n_copied = n_begun * BATCH + N_FFT - HOP_LENGTH - len(self._pending)
        signal = np.concatenate([self._pending, samples[:n_copied]])
        if n_copied > len(samples):
            n_batches = max(0, (len(signal) - N_FFT + HOP_LENGTH) // BATCH)
            self._pending = signal[n_batches * BATCH :]
            return self._runs((signal, n_batches))
        rest = samples[n_begun * BATCH - len(self._pending) :]
        n_batches = max(0, (len(rest) - N_FFT + HOP_LENGTH) // BATCH)
        self._pending = rest[n_batches * BATCH :].copy()
        return self._runs((signal, n_begun), (rest, n_batches))

    def finish(self) -> Run:
        """Return the last frames, which extend beyond the end."""
        n_frames = 1 + self.n_samples // HOP_LENGTH - self._n_frames
        n_batches = -(-n_frames // LANES)
        signal = np.zeros(n_batches * BATCH + N_FFT, np.float32)
        signal[: len(self._pending)] = self._pending
        return Run(signal, n_batches, n_frames)

    def _runs(self, *parts: tuple[Float32, int]) -> list[Run]:
        runs = [Run(signal, n_batches, n_batches * LANES) for signal, n_batches in parts if n_batches]
        self._n_frames += sum(run.n_frames for run in runs)
        return runs


def series(parts: list[Float32], n_frames: int) -> Float32:
    """Join batches to series in the order of time.

    Parameters
    ----------
    parts : list of np.ndarray [shape=(n, rows, 16) or (n, rows * 16)]
        Batches.
    n_frames : int
        Number of valid frames.

    Returns
    -------
    np.ndarray [shape=(rows, n_frames), dtype=float32]
    """
    batches = np.concatenate(parts)
    rows: Float32 = batches.reshape(len(batches), -1, LANES).transpose(1, 0, 2)
    return rows.reshape(len(rows), -1)[:, :n_frames]

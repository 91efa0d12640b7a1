"""Mix channels and count zero crossings in compiled loops."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import HOP_LENGTH
from segue.audio.kernels.compiled import compiled

Float32 = NDArray[np.float32]

SILENCE: Final = np.float32(-1e-10)
"""Samples above it count as positive. This is librosa's threshold of a zero crossing."""


def mix(block: NDArray[Any]) -> Float32:
    """Average the channels, as librosa mixes to mono. numpy's mean would take 60 % of the time of decoding an MP3.

    Parameters
    ----------
    block : np.ndarray [shape=(channels, n) or (n,)]
        Samples.

    Returns
    -------
    np.ndarray [shape=(n,), dtype=float32]
        A new array.
    """
    out = np.empty(block.shape[-1], np.float32)
    if block.ndim == 1 or len(block) == 1:
        out[:] = block.reshape(-1)
    elif block.T.flags.c_contiguous and block.dtype == np.float32:
        _mix_frames(block.T, out)
    else:
        np.sum(block, axis=0, out=out)
        out /= np.float32(len(block))
    return out


@compiled
def _mix_frames(frames: Float32, out: Float32) -> None:
    """Average the rows. The case of two columns is twice as fast as the general one."""
    n_channels = frames.shape[1]
    if n_channels == 2:
        for i in range(len(out)):
            out[i] = (frames[i, 0] + frames[i, 1]) * np.float32(0.5)
        return
    for i in range(len(out)):
        total = np.float32(0)
        for channel in range(n_channels):
            total += frames[i, channel]
        out[i] = total / np.float32(n_channels)


@compiled
def count_crossings(samples: Float32, first: int, counts: NDArray[np.int32], at_start: NDArray[np.int32]) -> None:
    """Count the zero crossings of each hop.

    Parameters
    ----------
    samples : np.ndarray [shape=(n,), dtype=float32]
        Signal. It includes the sample before ``first``.
    first : int
        First sample of the first hop.
    counts : np.ndarray [shape=(n_hops,)]
        Receives the number of crossings in each hop, including the one between the hop's first sample and the
        previous.
    at_start : np.ndarray [shape=(n_hops,)]
        Receives 1 if there is a crossing between the hop's first sample and the previous, else 0.
    """
    for hop in range(len(counts)):
        start = first + hop * HOP_LENGTH
        now, before = samples[start : start + HOP_LENGTH], samples[start - 1 : start - 1 + HOP_LENGTH]
        n = np.int32(0)
        for i in range(HOP_LENGTH):
            n += (now[i] < SILENCE) != (before[i] < SILENCE)
        counts[hop] = n
        at_start[hop] = (now[0] < SILENCE) != (before[0] < SILENCE)

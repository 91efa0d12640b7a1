"""Integrated loudness and true peak after ITU-R BS.1770-4 and EBU R128, from the channels as they are decoded."""

from __future__ import annotations

from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from segue.audio.kernels.compiled import compiled
from segue.audio.kernels.vectors import WIDTH, load, splat, store, store_quarter, times
from segue.audio.musical.k_weighting import N_STATES, Blocks, blocks
from segue.audio.musical.true_peak import CONTEXT, PHASES, find_peak

Float32 = NDArray[np.float32]
Float64 = NDArray[np.float64]

_STEPS_PER_SECOND: Final = 10
_STEPS_PER_BLOCK: Final = 4
"""A gating block lasts 400 ms. The next one begins 100 ms later."""

_OFFSET_DB: Final = -0.691
_ABSOLUTE_GATE: Final = -70.0
_RELATIVE_GATE_DB: Final = 10.0

_WEIGHTS: Final = {
    **{n: (1.0,) * n for n in (1, 2, 3)},
    4: (1.0, 1.0, 1.41, 1.41),
    5: (1.0, 1.0, 1.0, 1.41, 1.41),
    6: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41),
    7: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41, 1.41),
    8: (1.0, 1.0, 1.0, 0.0, 1.41, 1.41, 1.41, 1.41),
}
"""Weights by the number of channels, in the usual order of WAV files: front, centre, LFE, surround."""


class Loudness(NamedTuple):
    """Loudness of a signal.

    Attributes
    ----------
    integrated_lufs : float or None
        None if no gating block of 400 ms is louder than -70 LUFS.
    true_peak_dbtp : float or None
        In dB relative to full scale; None for digital silence.
    """

    integrated_lufs: float | None
    true_peak_dbtp: float | None


class _Filter(NamedTuple):
    """The K-weighting, and what it keeps between two blocks."""

    matrices: Blocks
    states: Float32
    """Four for each channel."""
    energies: Float32
    """Sums of squares since the last step, 16 for each channel."""
    step: int
    """Frames from one step to the next."""


class LoudnessMeter:
    """Measures a signal that comes in blocks.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_channels : int
        The order of up to 8 channels is that of WAV files. More channels have equal weights.
    """

    def __init__(self, sample_rate: int, n_channels: int) -> None:
        step = sample_rate // _STEPS_PER_SECOND
        self._weights = np.array(_WEIGHTS.get(n_channels, (1.0,) * n_channels))
        self._pending = np.zeros((CONTEXT, n_channels), np.float32)
        self._filter = _Filter(
            blocks(sample_rate),
            np.zeros(n_channels * N_STATES, np.float32),
            np.zeros(n_channels * WIDTH, np.float32),
            step,
        )
        self._peak = np.zeros(1, np.float32)
        self._left = step
        self._steps: list[Float64] = []

    def add(self, frames: Float32) -> None:
        """Add the next frames.

        Parameters
        ----------
        frames : np.ndarray [shape=(n, n_channels), dtype=float32]
            Finite samples. They are not kept.
        """
        # Two groups begin with pending frames and need a copy. The others have their context in `frames`.
        n_waiting = len(self._pending) - CONTEXT
        n_copied = 2 * WIDTH - n_waiting
        if len(frames) < n_copied:
            self._pending = np.concatenate([self._pending, frames])
            self._measure(self._pending)
            return
        self._measure(np.concatenate([self._pending, frames[:n_copied]]))
        self._measure(frames[n_copied - CONTEXT :])

    def finish(self) -> Loudness:
        """Return the loudness of all added frames."""
        ends_step = len(self._pending) - CONTEXT >= self._left
        n_steps = sum(map(len, self._steps)) + ends_step
        # Zeros after the end complete the last group, and let its frames pass the interpolation.
        self.add(np.zeros((2 * WIDTH + CONTEXT, len(self._weights)), np.float32))
        steps = np.concatenate(self._steps)[:n_steps]
        peak = float(self._peak[0])
        return Loudness(
            integrated(steps @ self._weights / self._filter.step),
            20 * float(np.log10(peak)) if peak > 0 else None,
        )

    def _measure(self, frames: Float32) -> None:
        """Measure the whole groups of 16 frames after the context, and keep the rest for the next call."""
        n_groups = (len(frames) - CONTEXT) // WIDTH
        flat = np.ascontiguousarray(frames).reshape(-1)
        n_channels = frames.shape[1]
        n_steps, since = divmod(self._filter.step - self._left + n_groups * WIDTH, self._filter.step)
        steps = np.zeros((n_steps, n_channels))
        _weigh(flat, n_groups, n_channels, self._filter, self._left, steps)
        find_peak(flat, n_groups, n_channels, PHASES, self._peak)
        self._steps.append(steps)
        self._left = self._filter.step - since
        self._pending = frames[n_groups * WIDTH :].copy()


def integrated(powers: Float64) -> float | None:
    """Return the gated loudness.

    Parameters
    ----------
    powers : np.ndarray [shape=(n,)]
        Weighted sums of the channels' mean squares, for each 100 ms.

    Returns
    -------
    float or None
        In LUFS; None if no block of 400 ms is louder than -70 LUFS.
    """
    if len(powers) < _STEPS_PER_BLOCK:
        return None
    of_blocks = np.convolve(powers, np.full(_STEPS_PER_BLOCK, 1 / _STEPS_PER_BLOCK), "valid")
    loud = of_blocks[of_blocks > _power(_ABSOLUTE_GATE)]
    if not len(loud):
        return None
    gated = loud[loud > loud.mean() * 10 ** (-_RELATIVE_GATE_DB / 10)]
    return _OFFSET_DB + 10 * float(np.log10(gated.mean()))


def _power(lufs: float) -> float:
    return float(10 ** ((lufs - _OFFSET_DB) / 10))


@compiled
def _weigh(
    flat: Float32,
    n_groups: int,
    n_channels: int,
    filter_: _Filter,
    left: int,
    steps: Float64,
) -> None:
    """Filter groups of 16 frames, and add up the squares of each step.

    Two channels share the columns of the matrices. The last of an odd number of channels is computed twice.
    """
    matrices, states, energies, step = filter_
    done, squares = 0, np.empty(n_channels * WIDTH, np.float32)
    for group in range(n_groups):
        first = (CONTEXT + group * WIDTH) * n_channels
        for one in range(0, n_channels, 2):
            other = min(one + 1, n_channels - 1)
            y = times(matrices.direct, flat, first + one, n_channels)
            z = times(matrices.direct, flat, first + other, n_channels)
            s = times(matrices.driven, flat, first + one, n_channels)
            t = times(matrices.driven, flat, first + other, n_channels)
            for i in range(N_STATES):
                free, kept = load(matrices.free, i * WIDTH), load(matrices.kept, i * WIDTH)
                v, w = splat(states[one * N_STATES + i]), splat(states[other * N_STATES + i])
                y += v * free
                z += w * free
                s += v * kept
                t += w * kept
            store_quarter(states, one * N_STATES, s)
            store_quarter(states, other * N_STATES, t)
            store(squares, one * WIDTH, y * y)
            store(squares, other * WIDTH, z * z)
        if left > WIDTH:
            for at in range(0, n_channels * WIDTH, WIDTH):
                store(energies, at, load(energies, at) + load(squares, at))
        else:  # the step ends within the group
            for channel in range(n_channels):
                for lane in range(WIDTH):
                    at = channel * WIDTH + lane
                    steps[done, channel] += np.float64(energies[at]) + (squares[at] if lane < left else 0.0)
                    energies[at] = np.float32(0) if lane < left else squares[at]
            left += step
            done += 1
        left -= WIDTH

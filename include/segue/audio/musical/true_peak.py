"""True peak after annex 2 of ITU-R BS.1770-4: the signal is interpolated to four times its rate."""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import NDArray

from segue.audio.kernels.compiled import compiled
from segue.audio.kernels.vectors import WIDTH, above, load, splat, store

Float32 = NDArray[np.float32]

CONTEXT: Final = WIDTH
"""Frames before the current ones that `find_peak` reads. The interpolation needs 11."""

_TAPS: Final = np.reshape(
    [
        *(0.001708984375, 0.010986328125, -0.0196533203125, 0.033203125, -0.0594482421875, 0.1373291015625),
        *(0.97216796875, -0.102294921875, 0.047607421875, -0.026611328125, 0.014892578125, -0.00830078125),
        *(-0.0291748046875, 0.029296875, -0.0517578125, 0.089111328125, -0.16650390625, 0.465087890625),
        *(0.77978515625, -0.2003173828125, 0.1015625, -0.0582275390625, 0.0330810546875, -0.0189208984375),
    ],
    (2, 12),
)
"""Half of the interpolation by four in annex 2 of BS.1770-4: two phases. The others are these in reverse."""

PHASES: Final = np.concatenate([_TAPS, _TAPS[::-1, ::-1]]).astype(np.float32).T.ravel()
"""For each of the 12 taps, the coefficients of the four phases."""

_LARGEST_GAIN: Final = float(np.abs(_TAPS).sum(axis=1).max()) * 1.0001


@compiled
def find_peak(flat: Float32, n_groups: int, n_channels: int, phases: Float32, peak: Float32) -> None:
    """Raise `peak` to the largest magnitude of the samples and of the values interpolated between them.

    A sample can raise the interpolated values near it by a factor of 2 at most. So they are only computed near
    samples that are louder than half the peak so far.

    Parameters
    ----------
    flat : np.ndarray [shape=((CONTEXT + 16 * n_groups) * n_channels or longer,), dtype=float32]
        Samples of all channels, frame by frame.
    n_groups : int
        Number of groups of 16 frames after the context.
    n_channels : int
        Number of channels.
    phases : np.ndarray
        `PHASES`.
    peak : np.ndarray [shape=(1,), dtype=float32]
        Largest magnitude so far.
    """
    zero, scratch = splat(np.float32(0)), np.empty(WIDTH, np.float32)
    near = n_channels + 1
    for vector in range(n_groups * n_channels):
        at = CONTEXT * n_channels + vector * WIDTH
        x = load(flat, at)
        limit = splat(peak[0] * np.float32(1 / _LARGEST_GAIN))
        if above(x, limit) | above(zero - x, limit):
            near = n_channels + 1
            largest = splat(peak[0])
            if above(x, largest) | above(zero - x, largest):
                for lane in range(WIDTH):
                    peak[0] = max(peak[0], abs(flat[at + lane]))
        if near == 0:
            continue
        near -= 1
        a = b = c = d = zero
        for tap in range(12):
            x = load(flat, at - tap * n_channels)
            a += x * splat(phases[4 * tap])
            b += x * splat(phases[4 * tap + 1])
            c += x * splat(phases[4 * tap + 2])
            d += x * splat(phases[4 * tap + 3])
        largest = splat(peak[0])
        for y in (a, b, c, d):
            if above(y, largest) | above(zero - y, largest):
                store(scratch, 0, y)
                for lane in range(WIDTH):
                    peak[0] = max(peak[0], abs(scratch[lane]))

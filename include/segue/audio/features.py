"""The 518 features of a signal, whole or in blocks.

``compute(samples, sample_rate)`` takes a whole signal. For a long one::

    accumulator = FeatureAccumulator(sample_rate)
    for block in blocks:  # float32, (channels, n), of any lengths
        accumulator.add(block)
    features = accumulator.finish()  # the same numbers as compute()
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from segue.audio import reference


class FeatureAccumulator:
    """Takes a signal in blocks and gives its features at the end.

    Parameters
    ----------
    sample_rate : int > 0
        In Hz.
    fma_compatible : bool
        Label the STFT's bins as FMA does, see `definition.FMA_SAMPLE_RATE`.
    """

    def __init__(self, sample_rate: int, *, fma_compatible: bool = False) -> None:
        self._sample_rate = sample_rate
        self._fma_compatible = fma_compatible
        self._blocks: list[NDArray[np.float32]] = []

    def add(self, block: NDArray[Any]) -> None:
        """Take the next samples.

        Parameters
        ----------
        block : np.ndarray [shape=(channels, n) or (n,), dtype=float32]
            Samples that follow those taken so far.
        """
        self._blocks.append(block.mean(axis=0, dtype=np.float32) if block.ndim == 2 else block)

    def finish(self) -> NDArray[np.float32]:
        """Give the features of all that was taken.

        Returns
        -------
        np.ndarray [shape=(518,), dtype=float32]
            In the order of `definition.COLUMNS`.
        """
        return reference.compute(
            np.concatenate(self._blocks), self._sample_rate, fma_compatible=self._fma_compatible
        )


def compute(samples: NDArray[Any], sample_rate: int, *, fma_compatible: bool = False) -> NDArray[np.float32]:
    """Compute the 518 features of a signal.

    Parameters
    ----------
    samples : np.ndarray [shape=(channels, n) or (n,), dtype=float32]
        Decoded audio.
    sample_rate : int > 0
        In Hz.
    fma_compatible : bool
        Label the STFT's bins as FMA does, see `definition.FMA_SAMPLE_RATE`.

    Returns
    -------
    np.ndarray [shape=(518,), dtype=float32]
        In the order of `definition.COLUMNS`.
    """
    accumulator = FeatureAccumulator(sample_rate, fma_compatible=fma_compatible)
    accumulator.add(samples)
    return accumulator.finish()

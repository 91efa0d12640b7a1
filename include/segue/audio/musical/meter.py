"""Measure the musical descriptors of a signal while its features are computed.

The loudness needs the channels as they are decoded. Everything else comes from what
:class:`segue.audio.features.FeatureAccumulator` computes for the 518 features: mel bands and chromagram.

A fault in the descriptors must not cost a file its 518 features. So no method of `MusicalMeter` raises an error.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps

import numpy as np
from numpy.typing import NDArray

from segue.audio.definition import N_CHROMA
from segue.audio.musical import key, tempo
from segue.audio.musical.definition import Musical
from segue.audio.musical.loudness import LoudnessMeter

Float32 = NDArray[np.float32]

Add = Callable[["MusicalMeter", Float32], None]


def _guarded(add: Add) -> Add:
    """Keep the first error as the result, and add nothing after it."""

    @wraps(add)
    def guarded(self: MusicalMeter, values: Float32) -> None:
        if self._error is None:
            try:
                add(self, values)
            except Exception as error:  # noqa: BLE001 - see the module
                self._error = _sentence(error)

    return guarded


class MusicalMeter:
    """Measures a signal that comes in blocks. Pass it to `FeatureAccumulator` as its listener.

    Parameters
    ----------
    sample_rate : int
        In Hz.
    n_channels : int
        Channels of the file.
    """

    def __init__(self, sample_rate: int, n_channels: int) -> None:
        self._sample_rate = sample_rate
        self._loudness = LoudnessMeter(sample_rate, n_channels)
        self._onsets = tempo.OnsetMeter()
        self._pitch_classes = np.zeros(N_CHROMA)
        self._n_frames = 0
        self._error: str | None = None

    @_guarded
    def add(self, frames: Float32) -> None:
        """Add the next frames of all channels, shape (n, n_channels)."""
        self._loudness.add(frames)

    @_guarded
    def add_mel_levels(self, levels: Float32) -> None:
        """Add the levels of the next mel spectra; see `tempo.OnsetMeter.add`."""
        self._onsets.add(levels)

    @_guarded
    def add_chroma(self, chroma: Float32) -> None:
        """Add the chromagram of the whole signal; see `key.pitch_classes`."""
        self._pitch_classes = key.pitch_classes(chroma)
        self._n_frames = chroma.shape[1]

    def finish(self) -> Musical:
        """Return the descriptors of the signal.

        Returns
        -------
        Musical
            Numbers are finite.
        """
        if self._error is None:
            try:
                return self._measured()
            except Exception as error:  # noqa: BLE001 - see the module
                self._error = _sentence(error)
        return Musical(error=self._error)

    def _measured(self) -> Musical:
        beat = tempo.estimate(self._onsets.finish(self._n_frames), self._sample_rate)
        pitch = key.estimate(self._pitch_classes)
        return Musical(*(beat or (None,) * 5), *(pitch or (None,) * 3), *map(_finite, self._loudness.finish()))


def _finite(value: float | None) -> float | None:
    """Leave out a number that is infinite or NaN because samples are absurdly large."""
    return value if value is not None and np.isfinite(value) else None


def _sentence(error: Exception) -> str:
    first_line = (str(error).splitlines() or [""])[0]
    return f"The musical descriptors failed: {type(error).__name__}: {first_line}."

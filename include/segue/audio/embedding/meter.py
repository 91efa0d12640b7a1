"""Embed a signal that comes in blocks, with the model that the settings name.

    mono samples ─► resampled ─► windows ─► model ─► mean over the windows

The windows begin every `hop_s` seconds, from the start of the signal. Audio after the last whole window is not
used, and the outputs of all windows have the same weight. musicnn does the same (Pons and Serra, *musicnn:
pre-trained convolutional neural networks for music audio tagging*, 2019): ``batch_data`` of its ``extractor.py``
leaves out an incomplete last patch, and ``top_tags`` takes the mean of the patches.

A fault in the model must not cost a file its 518 features. So no method of `EmbeddingMeter` raises an error.
"""

from __future__ import annotations

import numpy as np
import soxr
from numpy.typing import NDArray

from segue.audio.embedding.definition import Embedding
from segue.audio.embedding.session import Embedder

Float32 = NDArray[np.float32]


class EmbeddingMeter:
    """Embeds a signal.

    Parameters
    ----------
    embedder : Embedder
    sample_rate : int
        Of the signal, in Hz.
    """

    def __init__(self, embedder: Embedder, sample_rate: int) -> None:
        self._embedder, self._model = embedder, embedder.model
        is_other = sample_rate != self._model.sample_rate
        self._resampler = soxr.ResampleStream(sample_rate, self._model.sample_rate, 1) if is_other else None
        self._waiting = np.zeros(0, np.float32)
        """Samples of windows that are not complete."""
        self._skipped = 0
        """Samples to leave out before the next window. It begins later if the hop is longer than the window."""
        self._total = np.zeros(embedder.dimensions)
        self._n_windows = 0
        self._error: str | None = None

    def add(self, samples: Float32) -> None:
        """Add the next samples of the mono signal, shape (n,)."""
        self._take(samples, last=False)

    def finish(self) -> Embedding:
        """Return the embedding of the signal.

        Returns
        -------
        Embedding
            Without a vector if the signal is shorter than a window, or the model fails or returns a number that is
            not finite.
        """
        self._take(np.zeros(0, np.float32), last=True)
        version = self._embedder.version
        if self._error is None and not self._n_windows:
            self._error = f"The audio is shorter than a window of {self._model.window_s:g} s."
        if self._error is not None:
            return Embedding(version, error=self._error)
        with np.errstate(over="ignore"):
            vector = (self._total / self._n_windows).astype(np.float32)
        if not np.isfinite(vector).all():
            return Embedding(version, error="The model returns numbers that are not finite.")
        return Embedding(version, vector)

    def _take(self, samples: Float32, *, last: bool) -> None:
        """Run the model on the windows that are complete. Keep the first error as the result."""
        if self._error is not None:
            return
        try:
            if self._resampler:
                samples = self._resampler.resample_chunk(samples, last=last)
            self._waiting = np.concatenate([self._waiting, samples])
            start, window = self._skipped, self._model.window
            while start + window <= len(self._waiting):
                self._total += self._embedder.embed(self._waiting[start : start + window])
                self._n_windows += 1
                start += self._model.hop
            used = min(start, len(self._waiting))
            self._waiting, self._skipped = self._waiting[used:], start - used
        except Exception as error:  # noqa: BLE001 - see the module
            first_line = (str(error).splitlines() or [""])[0]
            self._error = f"The model of the embedding failed: {type(error).__name__}: {first_line}."

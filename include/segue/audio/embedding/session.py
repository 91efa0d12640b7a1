"""Run the model of the embedding with ONNX Runtime."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from segue.audio.embedding.definition import SETTING, EmbeddingModel
from segue.errors import ConfigurationError, PrerequisiteError

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

Float32 = NDArray[np.float32]

MAX_DIMENSIONS: Final = 8_192
"""Numbers of the largest embedding. It must fit into a message of the isolated child, and into a document."""

_QUIET: Final = 4
"""Level of ONNX Runtime's log at which it does not print errors. They are raised."""


class Embedder:
    """A model that is ready to run.

    Parameters
    ----------
    model : EmbeddingModel

    Raises
    ------
    ConfigurationError
        If the file cannot be read, is no ONNX model, or does not take and return what the settings say.
    PrerequisiteError
        If ONNX Runtime is not installed.
    """

    def __init__(self, model: EmbeddingModel) -> None:
        self.model = model
        content = model.read()
        self.version = model.version_of(content)
        self._session = _open(model, content)
        self._input, self._shape = self._find_input()
        self._output = self._find_output()
        self.dimensions = self._try()

    def embed(self, window: Float32) -> Float32:
        """Run the model.

        Parameters
        ----------
        window : np.ndarray [shape=(model.window,), dtype=float32]
            Mono samples at the sample rate of the model.

        Returns
        -------
        np.ndarray [shape=(dimensions,), dtype=float32]
            If the model returns several rows for a window, such as one for each frame, this is their mean.
        """
        mean: Float32 = self._rows(window).mean(axis=0, dtype=np.float32)
        return mean

    def _rows(self, window: Float32) -> Float32:
        [result] = self._session.run([self._output], {self._input: window.reshape(self._shape)})
        return np.atleast_2d(np.asarray(result, np.float32))

    def _find_input(self) -> tuple[str, tuple[int, ...]]:
        """Return the name of the input, and the shape of one window in it."""
        inputs = self._session.get_inputs()
        if len(inputs) != 1:
            names = ", ".join(each.name for each in inputs)
            raise self._misfit(f"has {len(inputs)} inputs ({names}), and not just the samples")
        [found] = inputs
        window = self.model.window
        shape = {1: (window,), 2: (1, window), 3: (1, 1, window)}.get(len(found.shape), ())
        of_model = zip(found.shape, shape, strict=False)
        fits = shape and all(not isinstance(size, int) or size == own for size, own in of_model)
        if found.type != "tensor(float)" or not fits:
            raise self._misfit(
                f"takes {found.type} of shape {_shown(found.shape)}, and not a window of {window:,} mono "
                "samples as float32"
            )
        return found.name, shape

    def _find_output(self) -> str:
        names: list[str] = [each.name for each in self._session.get_outputs()]
        if self.model.output is None and len(names) == 1:
            return names[0]
        if self.model.output in names:
            return str(self.model.output)
        listed = ", ".join(names)
        if self.model.output is None:
            raise self._misfit(f"has {len(names)} outputs: name one with SEGUE_AUDIO_EMBEDDING_OUTPUT", listed)
        raise self._misfit(f"has no output {self.model.output!r}", listed)

    def _try(self) -> int:
        """Run the model on noise, and return the number of dimensions."""
        noise = np.random.default_rng(0).normal(0, 0.1, self.model.window).astype(np.float32)
        try:
            rows = self._rows(noise)
        except Exception as error:  # ONNX Runtime's own errors have no common class
            raise self._misfit(
                f"fails on a window of {self.model.window:,} samples: {_first_line(error)}"
            ) from error
        if rows.ndim != 2 or not 1 <= rows.shape[1] <= MAX_DIMENSIONS or not len(rows):
            raise self._misfit(
                f"returns {self._output!r} of shape {_shown(rows.shape)}, and not rows of at most "
                f"{MAX_DIMENSIONS:,} numbers"
            )
        return int(rows.shape[1])

    def _misfit(self, what: str, listed: str = "") -> ConfigurationError:
        outputs = f" (it has {listed})" if listed else ""
        return ConfigurationError(
            f"The model {self.model.place} {what}{outputs}. Correct SEGUE_AUDIO_EMBEDDING_…, or unset {SETTING}."
        )


@lru_cache(maxsize=1)
def embedder(model: EmbeddingModel) -> Embedder:
    """Return the embedder of this process for a model. The file is read, and the session opened, once.

    Raises
    ------
    ConfigurationError, PrerequisiteError
        As `Embedder`.
    """
    return Embedder(model)


@lru_cache(maxsize=1)
def checked_version(model: EmbeddingModel) -> str:
    """Run a model once, and return the version of its embeddings. It is released at once, to save its memory.

    Raises
    ------
    ConfigurationError, PrerequisiteError
        As `Embedder`.
    """
    return Embedder(model).version


def _open(model: EmbeddingModel, content: bytes) -> InferenceSession:
    try:
        import onnxruntime
    except ImportError as error:
        raise PrerequisiteError(
            f"{SETTING}={model.place} needs ONNX Runtime, which is not installed. Install the package onnxruntime "
            "(the extra segue[onnx]) on all machines, or unset the variable."
        ) from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1  # Spark runs a worker on each core
    options.log_severity_level = _QUIET
    try:
        return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # ONNX Runtime's own errors have no common class
        raise ConfigurationError(
            f"{SETTING}={model.place} is no model that ONNX Runtime {onnxruntime.__version__} can load "
            f"({_first_line(error)}). Export the model to ONNX again, as one file, or correct the variable."
        ) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")


def _shown(shape: Sequence[object]) -> str:
    return f"({', '.join(map(str, shape))})"

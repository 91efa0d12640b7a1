"""The embedding of a recording, and the model that computes it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from segue.errors import ConfigurationError

CODE_VERSION: Final = 1
"""Raise it whenever the same model may give another embedding. The next run then embeds the files again."""

SETTING: Final = "SEGUE_AUDIO_EMBEDDING_MODEL"


@dataclass(frozen=True)
class EmbeddingModel:
    """An ONNX model, and what it expects.

    Parameters
    ----------
    place
        Path or URL of the ONNX file.
    sample_rate
        Sample rate that the model expects, in Hz.
    window_s
        Length of the audio that the model takes at a time, seconds.
    hop_s
        Distance between the starts of two windows, seconds. Windows overlap if it is smaller than `window_s`.
    output
        Name of the model's output. None if it has only one.
    """

    place: str
    sample_rate: int
    window_s: float
    hop_s: float
    output: str | None = None

    @classmethod
    def of(cls, values: dict[str, Any] | None) -> EmbeddingModel | None:
        """Return the model of these fields, as `dataclasses.asdict` returns them; None if there are none."""
        return cls(**values) if values else None

    @property
    def window(self) -> int:
        """Samples of a window."""
        return round(self.window_s * self.sample_rate)

    @property
    def hop(self) -> int:
        """Samples between the starts of two windows."""
        return max(1, round(self.hop_s * self.sample_rate))

    def version_of(self, content: bytes) -> str:
        """Return the version of the embeddings that this model computes.

        Parameters
        ----------
        content : bytes
            The ONNX file.

        Returns
        -------
        str
            16 hexadecimal digits: a digest of the file, of what the model expects, and of `CODE_VERSION`. The
            place of the file does not matter.
        """
        fields = {name: value for name, value in asdict(self).items() if name != "place"}
        made = hashlib.blake2b(json.dumps([CODE_VERSION, fields], sort_keys=True).encode(), digest_size=8)
        made.update(content)
        return made.hexdigest()

    def read(self) -> bytes:
        """Read the ONNX file.

        Raises
        ------
        ConfigurationError
            If it cannot be read.
        """
        try:
            if "://" not in self.place:
                return Path(self.place).read_bytes()
            from upath import UPath  # only for a URL, because importing it takes time

            content: bytes = UPath(self.place).read_bytes()
        except Exception as error:  # every kind of storage has errors of its own
            what = "there is no such file" if isinstance(error, FileNotFoundError) else str(error) or repr(error)
            raise ConfigurationError(
                f"{SETTING}={self.place}: the model cannot be read: {what.splitlines()[0]}. Correct or unset it."
            ) from error
        return content


@lru_cache(maxsize=1)
def version(model: EmbeddingModel) -> str:
    """Read the ONNX file of a model, and return the version of its embeddings. It is read once in a process.

    Raises
    ------
    ConfigurationError
        If the file cannot be read.
    """
    return model.version_of(model.read())


@dataclass(frozen=True, eq=False)
class Embedding:
    """The embedding of a recording, or why it has none.

    Parameters
    ----------
    version
        `EmbeddingModel.version_of` of the model.
    vector
        Shape (n_dimensions,), float32, finite. None if there is none.
    error
        One sentence if there is no vector, else None.
    """

    version: str
    vector: NDArray[np.float32] | None = None
    error: str | None = None

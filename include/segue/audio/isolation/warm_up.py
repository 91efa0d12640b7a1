"""Load the compiled code and the tables of the extraction, and compile what is missing.

    python -m segue.audio.isolation.warm_up

`make setup` and the image run this module, so that the first extraction need not wait until all is compiled.
"""

from __future__ import annotations

import numpy as np

from segue.audio.embedding.definition import EmbeddingModel
from segue.audio.embedding.session import embedder
from segue.audio.features import FeatureAccumulator
from segue.audio.kernels.signal import mix
from segue.audio.musical.meter import MusicalMeter

SAMPLE_RATE = 44_100


def warm_up(*, musical: bool, embedding: EmbeddingModel | None = None) -> None:
    """Extract the features of two seconds of stereo noise, and open the model of the embedding.

    Parameters
    ----------
    musical : bool
        Also measure its musical descriptors.
    embedding : EmbeddingModel, optional
        Its session stays open, so that its start is not part of the first file.

    Raises
    ------
    ConfigurationError, PrerequisiteError
        If this model cannot be used.
    """
    if embedding:
        embedder(embedding)
    samples = np.random.default_rng(0).standard_normal((2 * SAMPLE_RATE, 2)).astype(np.float32)
    meter = MusicalMeter(SAMPLE_RATE, 2) if musical else None
    accumulator = FeatureAccumulator(SAMPLE_RATE, listener=meter)
    accumulator.add(mix(samples.T))
    accumulator.finish()
    if meter:
        meter.add(samples)
        meter.finish()


if __name__ == "__main__":
    warm_up(musical=True)

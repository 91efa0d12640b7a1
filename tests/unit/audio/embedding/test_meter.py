"""The embedding of a signal: resampled, in windows, the mean over the windows."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soxr
from numpy.typing import NDArray
from tests.support import onnx_models

from segue.audio.embedding.definition import Embedding, EmbeddingModel
from segue.audio.embedding.meter import EmbeddingMeter
from segue.audio.embedding.session import Embedder

RATE = 8_000


@pytest.fixture(scope="module")
def moments(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(onnx_models.moments(tmp_path_factory.mktemp("model") / "moments.onnx"))


@pytest.fixture(scope="module")
def noise() -> NDArray[np.float32]:
    """Almost seven seconds."""
    return np.random.default_rng(0).normal(0.1, 0.2, 6 * RATE + 7_900).astype(np.float32)


def embed(model: EmbeddingModel, samples: NDArray[np.float32], rate: int = RATE, block: int = 10_001) -> Embedding:
    meter = EmbeddingMeter(Embedder(model), rate)
    for start in range(0, len(samples), block):
        meter.add(samples[start : start + block])
    return meter.finish()


def expected(samples: NDArray[np.float32], window: int, hop: int) -> NDArray[np.float64]:
    windows = [samples[at : at + window] for at in range(0, len(samples) - window + 1, hop)]
    return np.mean([(each.mean(), np.abs(each).mean()) for each in windows], axis=0)


@pytest.mark.parametrize("hop_s", [2.0, 0.5, 3.3])
def test_is_the_mean_over_whole_windows(moments: str, noise: NDArray[np.float32], hop_s: float) -> None:
    found = embed(EmbeddingModel(moments, RATE, 2.0, hop_s), noise)
    assert found.error is None
    assert found.vector is not None
    assert found.vector.dtype == np.float32
    np.testing.assert_allclose(found.vector, expected(noise, 2 * RATE, round(hop_s * RATE)), rtol=1e-5)


@pytest.mark.parametrize("block", [1, 333, 10**6])
def test_does_not_depend_on_how_the_signal_is_divided(
    moments: str, noise: NDArray[np.float32], block: int
) -> None:
    model, samples = EmbeddingModel(moments, 11_025, 0.25, 0.25), noise[: 2 * RATE]
    found, whole = embed(model, samples, block=block), embed(model, samples)
    assert found.vector is not None
    assert whole.vector is not None
    np.testing.assert_allclose(found.vector, whole.vector, rtol=1e-6)


def test_is_of_the_signal_at_the_sample_rate_of_the_model(moments: str, noise: NDArray[np.float32]) -> None:
    found = embed(EmbeddingModel(moments, 16_000, 1.0, 1.0), noise)
    resampled = soxr.resample(noise, RATE, 16_000)
    assert found.vector is not None
    np.testing.assert_allclose(found.vector, expected(resampled, 16_000, 16_000), rtol=1e-4)


def test_audio_as_long_as_a_window_has_an_embedding_and_shorter_audio_has_none(moments: str) -> None:
    model, second = EmbeddingModel(moments, RATE, 1.0, 1.0), np.ones(RATE, np.float32)
    whole = embed(model, second).vector
    assert whole is not None
    assert whole.tolist() == [1, 1]
    short = embed(model, second[:-1])
    assert (short.vector, short.error) == (None, "The audio is shorter than a window of 1 s.")
    assert short.version == embed(model, second).version


def test_a_number_that_is_not_finite_is_no_embedding(tmp_path: Path) -> None:
    model = EmbeddingModel(str(onnx_models.logarithm(tmp_path / "log.onnx")), RATE, 1.0, 1.0)
    samples = np.repeat(np.float32([1, -1, 1]), RATE)
    found = embed(model, samples)
    assert (found.vector, found.error) == (None, "The model returns numbers that are not finite.")
    assert embed(model, samples[:RATE]).vector is not None


def test_a_model_that_fails_on_a_window_costs_the_embedding_only(
    moments: str, noise: NDArray[np.float32], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("no memory\nsecond line")

    monkeypatch.setattr(Embedder, "embed", fail)
    found = embed(EmbeddingModel(moments, RATE, 1.0, 1.0), noise)
    assert (found.vector, found.error) == (None, "The model of the embedding failed: RuntimeError: no memory.")

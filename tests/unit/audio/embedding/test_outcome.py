"""The embedding is part of the outcome of an extraction, and can neither change nor cost the 518 features."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from tests.support import onnx_models
from tests.support.feature_clips import music

from segue.audio.embedding.definition import Embedding, EmbeddingModel
from segue.audio.extract import extract, extract_spans
from segue.audio.isolation.extractor import IsolatedExtractor
from segue.audio.limits import Limits, configured
from segue.audio.results import Track
from segue.errors import ExtractionError
from segue.settings import get_settings

SAMPLE_RATE, SECONDS = 22_050, 5


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("clip") / "clip.wav"
    soundfile.write(
        path, music(SAMPLE_RATE, SECONDS, 2, seed=3).T.astype(np.float32), SAMPLE_RATE, subtype="FLOAT"
    )
    return path


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> EmbeddingModel:
    path = onnx_models.projection(tmp_path_factory.mktemp("model") / "model.onnx", window=16_000)
    return EmbeddingModel(str(path), 16_000, 1.0, 1.0)


def track(path: Path, limits: Limits) -> Track:
    outcome = extract(path, limits)
    assert isinstance(outcome, Track), outcome
    return outcome


def embedded(outcome: object) -> Embedding:
    assert isinstance(outcome, Track), outcome
    assert outcome.embedding is not None
    return outcome.embedding


def test_an_embedding_changes_neither_the_features_nor_the_descriptors(clip: Path, model: EmbeddingModel) -> None:
    without, with_ = track(clip, Limits()), track(clip, Limits(embedding=model))
    assert without.embedding is None
    np.testing.assert_array_equal(with_.features, without.features)
    assert with_.musical == without.musical
    vector = embedded(with_).vector
    assert vector is not None
    assert vector.shape == (6,)


def test_the_isolated_child_returns_the_same_for_each_file(clip: Path, model: EmbeddingModel) -> None:
    expected = embedded(track(clip, Limits(embedding=model)))
    with IsolatedExtractor(Limits(embedding=model)) as extractor:
        outcomes = [extractor.extract(clip), *extractor.extract_spans(clip, [(0.0, 4.0), (4.0, 4.5), (4.5, None)])]
    found = [embedded(each) for each in outcomes[:1]]
    assert [each.version for each in found] == [expected.version]
    np.testing.assert_array_equal(found[0].vector, expected.vector)
    kinds = [type(each).__name__ for each in outcomes]
    assert kinds == ["Track", "Track", "Rejection", "Rejection"], "half a second is too short for features"


def test_each_span_has_its_own_and_a_short_one_has_none(clip: Path, model: EmbeddingModel) -> None:
    limits = Limits(embedding=model, min_duration_s=0.1)
    with IsolatedExtractor(limits) as extractor:
        first, short, last = extractor.extract_spans(clip, [(0.0, 2.0), (2.0, 2.5), (2.5, None)])
    here = extract_spans(clip, limits, [(0.0, 2.0), (2.0, 2.5), (2.5, None)])
    np.testing.assert_array_equal(embedded(first).vector, embedded(here[0]).vector)
    assert not np.array_equal(embedded(first).vector, embedded(last).vector)
    assert embedded(short).vector is None
    assert embedded(short).error == "The audio is shorter than a window of 1 s."
    assert isinstance(short, Track)
    assert np.isfinite(short.features).all()


def test_a_child_whose_model_is_missing_says_so_in_one_sentence(clip: Path, tmp_path: Path) -> None:
    missing = EmbeddingModel(str(tmp_path / "none.onnx"), 16_000, 1.0, 1.0)
    with IsolatedExtractor(Limits(embedding=missing)) as extractor, pytest.raises(ExtractionError) as refused:
        extractor.extract(clip)
    assert "there is no such file. Correct or unset it." in str(refused.value)
    assert "Traceback" not in str(refused.value)


def test_the_settings_name_the_model(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    assert configured().embedding is None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SEGUE_AUDIO_EMBEDDING_MODEL", "model.onnx")
    monkeypatch.setenv("SEGUE_AUDIO_EMBEDDING_WINDOW_S", "2.5")
    get_settings.cache_clear()
    try:
        assert configured().embedding == EmbeddingModel(str(tmp_path / "model.onnx"), 16_000, 2.5, 2.5)
        monkeypatch.setenv("SEGUE_AUDIO_EMBEDDING_MODEL", "s3://models/model.onnx")
        monkeypatch.setenv("SEGUE_AUDIO_EMBEDDING_HOP_S", "1")
        get_settings.cache_clear()
        assert configured().embedding == EmbeddingModel("s3://models/model.onnx", 16_000, 2.5, 1.0)
    finally:
        get_settings.cache_clear()


def test_a_child_opens_the_model_once(clip: Path, model: EmbeddingModel, tmp_path: Path) -> None:
    copy = replace(model, place=str(shutil.copy(model.place, tmp_path / "copy.onnx")))
    with IsolatedExtractor(Limits(embedding=copy)) as extractor:
        first = embedded(extractor.extract(clip))
        (tmp_path / "copy.onnx").unlink()
        second = embedded(extractor.extract(clip))
    np.testing.assert_array_equal(first.vector, second.vector)

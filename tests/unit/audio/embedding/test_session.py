"""A model is checked before a corpus is worked through, and its version is that of its file and its settings."""

from __future__ import annotations

import shutil
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto
from tests.support import onnx_models
from tests.support.onnx_models import SAMPLES, node, save

from segue.audio.embedding import definition
from segue.audio.embedding.definition import EmbeddingModel, version
from segue.audio.embedding.session import Embedder, checked_version
from segue.errors import ConfigurationError, PrerequisiteError

WINDOW = 1_000
IDENTITY = [node("Identity", [SAMPLES], "out")]


def model(path: Path | str, **values: Any) -> EmbeddingModel:
    return EmbeddingModel(str(path), 8_000, WINDOW / 8_000, WINDOW / 8_000, **values)


def refusal(path: Path, **values: Any) -> str:
    with pytest.raises(ConfigurationError) as refused:
        Embedder(model(path, **values))
    message = str(refused.value)
    assert str(path) in message
    assert "\n" not in message
    return message


@pytest.mark.parametrize(
    "shape", [("n",), (WINDOW,), ("batch", "n"), (1, WINDOW), (1, 1, "n"), ("b", "c", WINDOW)]
)
def test_takes_a_window_in_any_usual_shape(tmp_path: Path, shape: tuple[Any, ...]) -> None:
    nodes = [node("Reshape", [SAMPLES, "shape"], "flat"), node("Abs", ["flat"], "out")]
    shaped = [node("Constant", [], "shape", value_ints=[1, WINDOW]), *nodes]
    found = Embedder(model(save(tmp_path / "a.onnx", shaped, {"out": (1, WINDOW)}, inputs={SAMPLES: shape})))
    samples = np.linspace(-1, 1, WINDOW, dtype=np.float32)
    assert found.dimensions == WINDOW
    np.testing.assert_array_equal(found.embed(samples), np.abs(samples))


def test_rows_of_a_window_are_averaged(tmp_path: Path) -> None:
    shaped = [node("Constant", [], "shape", value_ints=[4, 250]), node("Reshape", [SAMPLES, "shape"], "out")]
    found = Embedder(model(save(tmp_path / "a.onnx", shaped, {"out": (4, 250)}, inputs={SAMPLES: ("n",)})))
    samples = np.arange(WINDOW, dtype=np.float32)
    np.testing.assert_allclose(found.embed(samples), samples.reshape(4, 250).mean(axis=0))


def test_one_of_several_outputs_is_named(tmp_path: Path) -> None:
    nodes = [*IDENTITY, node("ReduceMean", [SAMPLES], "mean", axes=[1])]
    path = save(tmp_path / "a.onnx", nodes, {"out": ("batch", "n"), "mean": ("batch", 1)})
    assert Embedder(model(path, output="mean")).dimensions == 1
    said = refusal(path)
    assert "has 2 outputs: name one with SEGUE_AUDIO_EMBEDDING_OUTPUT (it has out, mean)" in said
    assert "has no output 'tags' (it has out, mean)" in refusal(path, output="tags")


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    said = refusal(tmp_path / "none.onnx")
    assert said.startswith("SEGUE_AUDIO_EMBEDDING_MODEL=")
    assert said.endswith("the model cannot be read: there is no such file. Correct or unset it.")
    with pytest.raises(ConfigurationError, match="there is no such file"):
        version(model(tmp_path / "none.onnx"))


def test_a_folder_and_an_unknown_storage_are_no_file(tmp_path: Path) -> None:
    assert "the model cannot be read: " in refusal(tmp_path)
    with pytest.raises(ConfigurationError, match="the model cannot be read: "):
        model("nowhere://bucket/model.onnx").read()


def test_a_model_is_read_from_a_url(tmp_path: Path) -> None:
    path = onnx_models.moments(tmp_path / "a.onnx")
    assert checked_version(model(path.as_uri())) == checked_version(model(path))


@pytest.mark.parametrize("content", [b"", b"not a model", b"\x08\x09" * 500])
def test_a_file_that_is_no_model_is_named(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "letter.onnx"
    path.write_bytes(content)
    said = refusal(path)
    assert "is no model that ONNX Runtime" in said
    assert said.endswith("Export the model to ONNX again, as one file, or correct the variable.")


@pytest.mark.parametrize(
    ("inputs", "dtype", "said"),
    [
        (
            {SAMPLES: ("batch", 96, 64)},
            TensorProto.FLOAT,
            "of shape (batch, 96, 64), and not a window of 1,000 mono",
        ),
        ({SAMPLES: (1, 999)}, TensorProto.FLOAT, "of shape (1, 999), and not a window of 1,000 mono samples"),
        ({SAMPLES: (2, WINDOW)}, TensorProto.FLOAT, "of shape (2, 1000), and not a window"),
        ({SAMPLES: (1, 1, 1, WINDOW)}, TensorProto.FLOAT, "and not a window"),
        ({SAMPLES: ()}, TensorProto.FLOAT, "and not a window"),
        ({SAMPLES: (1, WINDOW)}, TensorProto.DOUBLE, "takes tensor(double)"),
        ({SAMPLES: (1, WINDOW), "rate": (1,)}, TensorProto.FLOAT, "has 2 inputs (samples, rate), and not just"),
    ],
)
def test_an_input_that_is_no_window_is_refused(
    tmp_path: Path, inputs: dict[str, Any], dtype: int, said: str
) -> None:
    cast = [node("Cast", [SAMPLES], "out", to=TensorProto.FLOAT)]
    path = save(
        tmp_path / "a.onnx",
        cast,
        {"out": [f"d{i}" for i in range(len(inputs[SAMPLES]))]},
        inputs=inputs,
        dtype=dtype,
    )
    assert said in refusal(path)


def test_an_output_that_is_no_vector_is_refused(tmp_path: Path) -> None:
    cube = [node("Constant", [], "shape", value_ints=[1, 4, 250]), node("Reshape", [SAMPLES, "shape"], "out")]
    path = save(tmp_path / "cube.onnx", cube, {"out": (1, 4, 250)})
    assert "returns 'out' of shape (1, 4, 250), and not rows of at most 8,192 numbers" in refusal(path)
    tiles = [node("Concat", [SAMPLES] * 9, "out", axis=1)]
    assert "of shape (1, 9000)" in refusal(save(tmp_path / "wide.onnx", tiles, {"out": ("batch", "m")}))


def test_a_model_that_cannot_run_on_the_window_is_refused(tmp_path: Path) -> None:
    shaped = [node("Constant", [], "shape", value_ints=[1, 999]), node("Reshape", [SAMPLES, "shape"], "out")]
    said = refusal(save(tmp_path / "a.onnx", shaped, {"out": (1, 999)}))
    assert "fails on a window of 1,000 samples: " in said


def test_without_the_package_the_remedy_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = onnx_models.moments(tmp_path / "a.onnx")
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(PrerequisiteError, match=r"is not installed\. Install the package onnxruntime"):
        Embedder(model(path))


def test_the_version_is_that_of_the_file_and_of_what_the_model_expects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, other = onnx_models.moments(tmp_path / "a.onnx"), onnx_models.logarithm(tmp_path / "b.onnx")
    first = model(path)
    known = version(first)
    assert len(known) == 16
    assert checked_version(first) == known
    assert version(model(shutil.copy(path, tmp_path / "copy.onnx"))) == known
    changes: list[dict[str, Any]] = [
        {"sample_rate": 9_000},
        {"window_s": 0.2},
        {"hop_s": 0.2},
        {"output": "moments"},
    ]
    others = [replace(first, **change) for change in changes] + [model(other)]
    assert len({known, *map(version, others)}) == 6
    monkeypatch.setattr(definition, "CODE_VERSION", 0)
    assert first.version_of(path.read_bytes()) != known

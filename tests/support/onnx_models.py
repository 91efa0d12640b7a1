"""Small ONNX models, which tests make themselves."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save_model

SAMPLES = "samples"
Nodes = Sequence[Any]


def node(kind: str, inputs: Sequence[str], output: str, **attributes: Any) -> Any:
    return helper.make_node(kind, inputs, [output], **attributes)


def save(
    path: Path,
    nodes: Nodes,
    outputs: dict[str, Sequence[Any]],
    *,
    inputs: dict[str, Sequence[Any]] | None = None,
    constants: dict[str, np.ndarray[Any, Any]] | None = None,
    dtype: int = TensorProto.FLOAT,
) -> Path:
    """Write a model whose inputs and outputs have these shapes; a name in a shape is a size of any value."""
    given = inputs or {SAMPLES: ("batch", "n")}
    graph = helper.make_graph(
        nodes,
        "test",
        [helper.make_tensor_value_info(name, dtype, shape) for name, shape in given.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs.items()],
        [numpy_helper.from_array(np.asarray(each, np.float32), name) for name, each in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    save_model(model, str(path))
    return path


def moments(path: Path) -> Path:
    """A model that returns, for each window, the mean of the samples and of their magnitudes: shape (batch, 2)."""
    nodes = [
        node("Abs", [SAMPLES], "magnitudes"),
        node("ReduceMean", [SAMPLES], "mean", axes=[1], keepdims=1),
        node("ReduceMean", ["magnitudes"], "level", axes=[1], keepdims=1),
        node("Concat", ["mean", "level"], "moments", axis=1),
    ]
    return save(path, nodes, {"moments": ("batch", 2)})


def projection(path: Path, window: int, dimensions: int = 6, seed: int = 0) -> Path:
    """A model with fixed sizes: log energies of a window after a random projection, shape (1, dimensions)."""
    weights = np.random.default_rng(seed).normal(size=(window, dimensions)) / np.sqrt(window)
    nodes = [
        node("MatMul", [SAMPLES, "weights"], "projected"),
        node("Mul", ["projected", "projected"], "energies"),
        node("Add", ["energies", "least"], "positive"),
        node("Log", ["positive"], "embedding"),
    ]
    constants = {"weights": weights, "least": np.array([1e-9])}
    return save(path, nodes, {"embedding": (1, dimensions)}, inputs={SAMPLES: (1, window)}, constants=constants)


def logarithm(path: Path) -> Path:
    """A model that returns the logarithm of the mean of a window, which is NaN where the mean is below 0."""
    nodes = [node("ReduceMean", [SAMPLES], "mean", axes=[1], keepdims=1), node("Log", ["mean"], "log")]
    return save(path, nodes, {"log": ("batch", 1)})

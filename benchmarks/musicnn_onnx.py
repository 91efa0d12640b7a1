"""Convert musicnn, a published model of music, to an ONNX file that Segue embeds recordings with.

musicnn (Pons and Serra, 2019, ISC licence) ships its weights on PyPI, as checkpoints of TensorFlow, and takes
log-mel spectrograms. The ONNX file takes samples: the spectrogram of ``extractor.py`` is a part of it. Its outputs
are ``penultimate`` (200 numbers, the embedding) and ``tags`` (50 probabilities).

TensorFlow reads the checkpoint. It need not be in Segue's environment, and it is not needed afterwards::

    pip download musicnn==0.1.0 --no-deps && unzip musicnn-0.1.0-*.whl 'musicnn/MSD_musicnn/*'
    uv run --no-project --python 3.11 --with tensorflow-cpu,onnx,librosa \
        benchmarks/musicnn_onnx.py musicnn/MSD_musicnn musicnn.onnx
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import librosa
import numpy as np
import tensorflow as tf
from onnx import TensorProto, helper, numpy_helper, save_model

RATE, FFT_SIZE, HOP, N_MELS = 16_000, 512, 256, 96
EPSILON = 1e-3
"""Of the batch normalization, the default of ``tf.layers``."""


class Graph:
    """The nodes and constants of an ONNX graph, while it is made."""

    def __init__(self, checkpoint: Any) -> None:
        self.checkpoint = checkpoint
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def constant(self, values: Any, dtype: Any = np.float32) -> str:
        """Add a constant, and return its name."""
        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values, dtype), name))
        return name

    def add(self, kind: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of its output."""
        output = output or f"{kind}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(kind, inputs, [output], **attributes))
        return output

    def weights(self, name: str) -> Any:
        """Read an array of the checkpoint."""
        return self.checkpoint.get_tensor(name)

    def normalized(self, x: str, number: int, output: str = "") -> str:
        """Normalize by the statistics of the batches in training."""
        layer = f"batch_normalization{f'_{number}' if number else ''}"
        names = ("gamma", "beta", "moving_mean", "moving_variance")
        values = [self.constant(self.weights(f"{layer}/{name}")) for name in names]
        return self.add("BatchNormalization", x, *values, epsilon=EPSILON, output=output)

    def block(self, x: str, number: int, pads: list[int], *, one_dimension: bool = False) -> str:
        """Convolution, ReLU and normalization. A kernel of TensorFlow has the shape (time, band, in, out)."""
        layer = f"conv2d{f'_{number}' if number else ''}"
        kernel = self.weights(f"{layer}/kernel").transpose(3, 2, 0, 1)
        if one_dimension:  # it is as wide as its input, so the bands are channels
            kernel = kernel[:, 0].transpose(0, 2, 1)
        values = [self.constant(kernel), self.constant(self.weights(f"{layer}/bias"))]
        return self.normalized(self.add("Relu", self.add("Conv", x, *values, pads=pads)), number + 1)

    def dense(self, x: str, layer: str) -> str:
        """Add a dense layer without activation."""
        product = self.add("MatMul", x, self.constant(self.weights(f"{layer}/kernel")))
        return self.add("Add", product, self.constant(self.weights(f"{layer}/bias")))


def spectrogram(graph: Graph) -> str:
    """Add the log-mel spectrogram of ``extractor.py``, shape (batch, frames, bands)."""
    half = FFT_SIZE // 2
    padded = graph.add("Pad", "samples", graph.constant([0, half, 0, half], np.int64), mode="reflect")
    signal = graph.add("Unsqueeze", padded, graph.constant([2], np.int64))
    window = graph.constant(librosa.filters.get_window("hann", FFT_SIZE))
    step, length = graph.constant(HOP, np.int64), graph.constant(FFT_SIZE, np.int64)
    spectrum = graph.add("STFT", signal, step, window, length)
    power = graph.add("ReduceSumSquare", spectrum, axes=[3], keepdims=0)
    filters = librosa.filters.mel(sr=RATE, n_fft=FFT_SIZE, n_mels=N_MELS).T
    mel = graph.add("MatMul", power, graph.constant(filters))
    scaled = graph.add("Add", graph.add("Mul", mel, graph.constant(10_000)), graph.constant(1))
    return graph.add("Mul", graph.add("Log", scaled), graph.constant(1 / np.log(10)), output="spectrogram")


def network(graph: Graph, mel: str) -> None:
    """Add ``build_musicnn`` of ``models.py``. Here the axes are (batch, channel, time, band)."""
    image = graph.normalized(graph.add("Unsqueeze", mel, graph.constant([1], np.int64)), 0)
    same = {2: 128, 3: 64, 4: 32}  # lengths of the temporal filters
    blocks = [graph.block(image, number, [3, 0, 3, 0]) for number in (0, 1)]
    blocks += [graph.block(image, number, [(n - 1) // 2, 0, n // 2, 0]) for number, n in same.items()]
    front = graph.add("Concat", *(graph.add("ReduceMax", x, axes=[3], keepdims=0) for x in blocks), axis=1)
    first = graph.block(front, 5, [3, 3], one_dimension=True)
    second = graph.add("Add", graph.block(first, 6, [3, 3], one_dimension=True), first)
    third = graph.add("Add", graph.block(second, 7, [3, 3], one_dimension=True), second)
    features = graph.add("Concat", front, first, second, third, axis=1)
    pools = [graph.add(kind, features, axes=[2], keepdims=1) for kind in ("ReduceMax", "ReduceMean")]
    flat = graph.add("Flatten", graph.add("Concat", *pools, axis=2))
    hidden = graph.add("Relu", graph.dense(graph.normalized(flat, 9), "dense"))
    penultimate = graph.normalized(hidden, 10, output="penultimate")
    graph.add("Sigmoid", graph.dense(penultimate, "dense_1"), output="tags")


def convert(folder: str, path: Path) -> None:
    """Write the ONNX file."""
    graph = Graph(tf.compat.v1.train.NewCheckpointReader(folder))
    network(graph, spectrogram(graph))
    shapes = {"penultimate": ("batch", 200), "tags": ("batch", 50)}
    made = helper.make_graph(
        graph.nodes,
        "musicnn",
        [helper.make_tensor_value_info("samples", TensorProto.FLOAT, ("batch", "n"))],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        graph.constants,
    )
    save_model(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)], ir_version=9), str(path))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkpoint", help="folder of the checkpoint, such as musicnn/MSD_musicnn")
    parser.add_argument("path", type=Path, help="ONNX file to write")
    arguments = parser.parse_args()
    prefix = arguments.checkpoint.rstrip("/") + "/"
    convert(prefix, arguments.path)

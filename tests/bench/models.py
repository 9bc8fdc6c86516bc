"""The benchmark's models, made with the onnx package from a seed and kept below the user's cache."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from . import textmodel

OPSET, IR = 17, 10
VERSION = 1
"""Part of the files' names: raise it when a model changes."""

Array = NDArray[np.float32] | NDArray[np.int64] | NDArray[np.object_]


@dataclass(frozen=True)
class BenchModel:
    """One model and the request that is put to it."""

    name: str
    path: Path
    input_name: str
    input: Array


class _Graph:
    """Collects nodes and weights. Weights are seeded normal noise, scaled so that values stay near 1."""

    def __init__(self, seed: int) -> None:
        self._random = np.random.default_rng(seed)
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def weight(self, *shape: int, fan_in: int = 0) -> str:
        values = self._random.standard_normal(shape, dtype=np.float32) / np.float32(
            np.sqrt(fan_in or shape[0])
        )
        return self.constant(values)

    def constant(self, values: NDArray[np.generic]) -> str:
        name = f"w{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, operator: str, *inputs: str, out: str = "", **attributes: object) -> str:
        out = out or f"v{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, inputs, [out], **attributes))
        return out

    def linear(self, x: str, width_in: int, width_out: int, out: str = "") -> str:
        product = self.add("MatMul", x, self.weight(width_in, width_out))
        return self.add("Add", product, self.weight(width_out), out=out)

    def saved(
        self, path: Path, inputs: list[onnx.ValueInfoProto], outputs: list[onnx.ValueInfoProto]
    ) -> None:
        graph = helper.make_graph(self.nodes, path.stem, inputs, outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR)
        partial = path.with_suffix(".part")
        onnx.save(model, partial)
        partial.replace(path)


def _mlp(path: Path) -> None:
    """16 -> 64 -> 64 -> 3 with ReLU and Softmax: 22 KB."""
    graph = _Graph(1)
    hidden = graph.add("Relu", graph.linear("x", 16, 64))
    hidden = graph.add("Relu", graph.linear(hidden, 64, 64))
    graph.add("Softmax", graph.linear(hidden, 64, 3), out="y", axis=-1)
    graph.saved(path, [_value("x", ["batch", 16])], [_value("y", ["batch", 3])])


def _conv(path: Path) -> None:
    """A residual network for 3x224x224 pictures, of ResNet-18's shape: 47 MB."""
    graph = _Graph(2)
    x = _conv_relu(graph, "x", 3, 64, kernel=7, stride=2)
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    width_in = 64
    for width, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        short = x
        if width != width_in or stride != 1:
            short = _convolution(graph, x, width_in, width, kernel=1, stride=stride)
        inner = _conv_relu(graph, x, width_in, width, kernel=3, stride=stride)
        inner = _convolution(graph, inner, width, width, kernel=3, stride=1)
        x, width_in = graph.add("Relu", graph.add("Add", inner, short)), width
    pooled = graph.add("Flatten", graph.add("GlobalAveragePool", x))
    graph.linear(pooled, 512, 1000, out="y")
    graph.saved(path, [_value("x", ["batch", 3, 224, 224])], [_value("y", ["batch", 1000])])


def _convolution(graph: _Graph, x: str, width_in: int, width: int, *, kernel: int, stride: int) -> str:
    weight = graph.weight(width, width_in, kernel, kernel, fan_in=2 * width_in * kernel * kernel)
    pads = [kernel // 2] * 4
    return graph.add(
        "Conv", x, weight, graph.weight(width), kernel_shape=[kernel] * 2, strides=[stride] * 2, pads=pads
    )


def _conv_relu(graph: _Graph, x: str, width_in: int, width: int, *, kernel: int, stride: int) -> str:
    return graph.add("Relu", _convolution(graph, x, width_in, width, kernel=kernel, stride=stride))


def _bert(path: Path) -> None:
    """A text encoder of BERT base's shape (12 layers, 768 wide, 12 heads, vocabulary 30,522): 435 MB."""
    graph, width, heads = _Graph(3), 768, 12
    tokens = graph.add("Gather", graph.weight(30522, width, fan_in=1), "ids")
    positions = graph.constant(np.random.default_rng(4).standard_normal((1, TOKENS, width), dtype=np.float32))
    x = _normalised(graph, graph.add("Add", tokens, positions), width)
    split = graph.constant(np.array([0, 0, heads, width // heads], np.int64))
    merge = graph.constant(np.array([0, 0, width], np.int64))
    scale = graph.constant(np.array(np.sqrt(width / heads), np.float32))
    for _ in range(12):
        query, key, value = (graph.add("Reshape", graph.linear(x, width, width), split) for _ in range(3))
        query, value = (graph.add("Transpose", each, perm=[0, 2, 1, 3]) for each in (query, value))
        key = graph.add("Transpose", key, perm=[0, 2, 3, 1])
        scores = graph.add("Softmax", graph.add("Div", graph.add("MatMul", query, key), scale), axis=-1)
        mixed = graph.add("Transpose", graph.add("MatMul", scores, value), perm=[0, 2, 1, 3])
        mixed = graph.linear(graph.add("Reshape", mixed, merge), width, width)
        x = _normalised(graph, graph.add("Add", x, mixed), width)
        wide = graph.add("Relu", graph.linear(x, width, 4 * width))
        x = _normalised(graph, graph.add("Add", x, graph.linear(wide, 4 * width, width)), width)
    first = graph.add("Gather", x, graph.constant(np.array(0, np.int64)), axis=1)
    graph.linear(first, width, 2, out="y")
    ids = helper.make_tensor_value_info("ids", TensorProto.INT64, ["batch", TOKENS])
    graph.saved(path, [ids], [_value("y", ["batch", 2])])


def _normalised(graph: _Graph, x: str, width: int) -> str:
    return graph.add("LayerNormalization", x, graph.constant(np.ones(width, np.float32)), axis=-1)


def _value(name: str, shape: list[str | int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


TOKENS = 32
_MAKERS: dict[str, tuple[Callable[[Path], None], str, tuple[int, ...]]] = {
    "mlp": (_mlp, "x", (1, 16)),
    "conv": (_conv, "x", (1, 3, 224, 224)),
    "bert": (_bert, "ids", (1, TOKENS)),
    "text": (textmodel.make, "text", (1,)),
}


def made(name: str, cache: Path) -> BenchModel:
    """The model `mlp`, `conv`, `bert` or `text`: made, unless it lies in `cache` already."""
    make, input_name, shape = _MAKERS[name]
    path = cache / f"{name}-{VERSION}.onnx"
    if not path.exists():
        cache.mkdir(parents=True, exist_ok=True)
        make(path)
    random = np.random.default_rng(7)
    if input_name == "text":
        return BenchModel(name, path, input_name, np.array([textmodel.SENTENCE], object))
    if input_name == "ids":
        return BenchModel(name, path, input_name, random.integers(0, 30522, shape, np.int64))
    return BenchModel(name, path, input_name, random.standard_normal(shape, dtype=np.float32))

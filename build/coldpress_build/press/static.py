"""Static 8-bit arithmetic: ranges of the activations are taken from real rows beforehand (calibration)."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray

from coldpress_build.press.weights import RECURRENT, by_channel

Rows = Mapping[str, NDArray[Any]]

BATCH = 32
ACROSS = ("Relu", "Clip", "MaxPool", "AveragePool", "GlobalAveragePool", "Reshape", "Flatten", "Transpose")
"""These pass 8-bit numbers on between two layers; they never begin them."""
LAYERS = ("Conv", "ConvTranspose", "Gemm", "MatMul")
OPERATORS = (*LAYERS, "Gather", *ACROSS)
METHODS = {"minmax": "MinMax", "percentile": "Percentile", "entropy": "Entropy"}


def int8_static(source: Path, target: Path, rows: Rows | None, method: str) -> None:
    """QDQ, weights per channel, activations unsigned, with ranges of `rows` by `method` (a key of METHODS).

    Weights use 7 of their 8 bits: on a CPU without VNNI two products of 8-bit numbers overflow the 16 bits
    that they are added in, and a model would answer otherwise there than where it was measured. Numbers
    after the last layer stay floats, so that scores and values are not rounded to 256 steps.

    Raises:
        ValueError: there are no rows to calibrate with, or fewer than the one batch that the model takes.
    """
    from onnxruntime.quantization import (
        CalibrationMethod,
        QuantFormat,
        QuantType,
        quantize_static,
    )

    if rows is None or not rows or not len(next(iter(rows.values()))):
        raise ValueError("there are no rows to calibrate with")
    model = onnx.load(source)
    by_channel(model, RECURRENT)  # no kernel computes them in 8 bits
    quantize_static(
        model,
        target,
        _Reader(rows, _batch(model, len(next(iter(rows.values()))))),
        quant_format=QuantFormat.QDQ,
        op_types_to_quantize=[*OPERATORS, *(["Add"] if _residual(model) else [])],
        nodes_to_exclude=[node.name for node in model.graph.node if _adds_constant(node, model)],
        per_channel=True,
        reduce_range=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        calibrate_method=CalibrationMethod[METHODS[method]],
        extra_options={"MatMulConstBOnly": True},
    )
    del model
    made = onnx.load(target)
    float_ending(made)
    onnx.save(made, target)


class _Reader:
    """onnxruntime's CalibrationDataReader: batches until there are no more, then None."""

    def __init__(self, rows: Rows, size: int) -> None:
        self._batches = self._read(rows, size)

    def get_next(self) -> dict[str, NDArray[Any]] | None:
        return next(self._batches, None)

    @staticmethod
    def _read(rows: Rows, size: int) -> Iterator[dict[str, NDArray[Any]]]:
        count = len(next(iter(rows.values())))
        # A last, smaller batch would be refused by a model of one batch size.
        for start in range(0, count - size + 1, size):
            yield {name: column[start : start + size] for name, column in rows.items()}


def _batch(model: onnx.ModelProto, count: int) -> int:
    """The batch size that every input takes; where it is free BATCH, or all of the rows if they are fewer.

    Raises:
        ValueError: the model takes batches of more than `count` rows.
    """
    first = [entry.type.tensor_type.shape.dim[:1] for entry in model.graph.input]
    fixed = [dims[0].dim_value for dims in first if dims and dims[0].HasField("dim_value")]
    size = max(fixed, default=0)
    if size > count:
        raise ValueError(f"the model takes batches of {size} rows, and there are {count} to calibrate with")
    return size or min(BATCH, count)


def _residual(model: onnx.ModelProto) -> bool:
    """Whether sums of layers are worth 8 bits: in conv nets they lie between two layers."""
    return any(node.op_type == "Conv" for node in model.graph.node)


def _adds_constant(node: onnx.NodeProto, model: onnx.ModelProto) -> bool:
    return node.op_type == "Add" and any(t.name in node.input for t in model.graph.initializer)


def float_ending(model: onnx.ModelProto) -> None:
    """Leave out each rounding of an activation that no layer comes after."""
    readers: dict[str, list[onnx.NodeProto]] = {}
    for node in model.graph.node:
        for name in node.input:
            readers.setdefault(name, []).append(node)
    memory: dict[str, bool] = {}

    def leads_on(name: str) -> bool:
        if name not in memory:
            memory[name] = False  # a graph has no cycles; this only ends the walk
            memory[name] = any(
                node.op_type in LAYERS or any(map(leads_on, node.output)) for node in readers.get(name, [])
            )
        return memory[name]

    constants = {tensor.name for tensor in model.graph.initializer}
    outputs = {output.name for output in model.graph.output}
    dropped: list[onnx.NodeProto] = []
    renamed: dict[str, str] = {}
    for node in model.graph.node:
        if node.op_type != "QuantizeLinear" or node.input[0] in constants or leads_on(node.output[0]):
            continue
        back = readers.get(node.output[0], [])
        if back and all(reader.op_type == "DequantizeLinear" for reader in back):
            dropped += [node, *back]
            renamed |= {reader.output[0]: node.input[0] for reader in back}
    kept = [node for node in model.graph.node if not any(node is other for other in dropped)]
    _rename(kept, renamed, outputs)
    del model.graph.node[:]
    model.graph.node.extend(kept)


def _rename(nodes: list[onnx.NodeProto], renamed: dict[str, str], outputs: set[str]) -> None:
    # The graph's outputs keep their names: there the number's maker and its other readers take it.
    final = {before: after for after, before in renamed.items() if after in outputs}
    for node in nodes:
        for names in (node.input, node.output):
            for place, name in enumerate(names):
                direct = renamed.get(name, name)
                names[place] = final.get(direct, direct)


def calibration_rows(rows: Rows, count: int, seed: int = 0) -> Rows:
    """`count` of the rows, drawn at random: a file may be sorted by class."""
    total = len(next(iter(rows.values())))
    drawn = np.sort(np.random.default_rng(seed).permutation(total)[:count])
    return {name: column[drawn] for name, column in rows.items()}

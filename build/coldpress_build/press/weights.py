"""Weight-only forms: fewer bits for each weight, arithmetic as exact as its operator allows."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

WEIGHTED = ("Gather", "MatMul")
LEAST = 256
"""Weights of a tensor that is worth its scales."""

# The axis of the output channels, each of which gets a scale, by operator.
RECURRENT = ("LSTM", "GRU", "RNN")
CHANNELS = {"Conv": 0, "ConvTranspose": 1} | dict.fromkeys(RECURRENT, 1)

# Activations of a MatMul in 8 bits, by row and block: without it the 8-bit kernel took 30 times as long as
# the float one (1000-500-250-100-2, one row), with it half as long; 4-bit 0.9 and 0.5. Blocks of 128 and
# more are then computed otherwise for one row than for many: answers were 0.01 apart. Up to 64 they are not.
ACCURACY_LEVEL = 4


def int8_weights(source: Path, target: Path) -> None:
    """MatMul by blocks of 64, Gather by tensor, Conv and recurrent layers by channel."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    model = _without_gemm(onnx.load(source))
    by_channel(model, tuple(CHANNELS))
    onnx.save(_in_blocks(model, 8, 64, ("MatMul",)), target)
    quantize_dynamic(target, target, op_types_to_quantize=["Gather"], weight_type=QuantType.QInt8)


def int4_weights(block: int) -> Callable[[Path, Path], None]:
    """MatMul and Gather in 4 bits by blocks of `block` weights, the other weights in 8 by channel."""

    def make(source: Path, target: Path) -> None:
        model = _without_gemm(onnx.load(source))
        by_channel(model, tuple(CHANNELS))
        model = _in_blocks(model, 4, block, WEIGHTED)
        _pack(model)
        onnx.save(model, target)

    return make


def _matrices(model: onnx.ModelProto) -> list[tuple[TensorProto, bool]]:
    """Constant float matrices of a MatMul or a Gather, and whether it is a Gather."""
    constants = {
        tensor.name: tensor
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT and len(tensor.dims) == 2
    }
    places = {"MatMul": 1, "Gather": 0}
    return [
        (constants[node.input[place]], node.op_type == "Gather")
        for node in model.graph.node
        if (place := places.get(node.op_type)) is not None and node.input[place] in constants
    ]


def _without_gemm(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same with MatMul and Add, which the blocks know."""
    from onnxruntime.quantization.onnx_model import ONNXModel

    changed = ONNXModel(model)
    changed.replace_gemm_with_matmul()
    made: onnx.ModelProto = changed.model
    return made


def _in_blocks(model: onnx.ModelProto, bits: int, block: int, operators: tuple[str, ...]) -> onnx.ModelProto:
    from onnxruntime.quantization.matmul_nbits_quantizer import (
        DefaultWeightOnlyQuantConfig,
        MatMulNBitsQuantizer,
    )

    how = DefaultWeightOnlyQuantConfig(
        block_size=block,
        is_symmetric=True,
        accuracy_level=ACCURACY_LEVEL,
        bits=bits,
        op_types_to_quantize=operators,
    )
    # The quantizer stops at a Gather from anything but floats.
    matrices = {tensor.name for tensor, _ in _matrices(model)}
    others = [node.name for node in model.graph.node if not matrices.intersection(node.input)]
    quantizer = MatMulNBitsQuantizer(model, algo_config=how, nodes_to_exclude=others)
    quantizer.process()
    made: onnx.ModelProto = quantizer.model.model
    return made


def _pack(model: onnx.ModelProto) -> None:
    """Tables in 4 bits as bytes of two: ONNX Runtime's .ort form has no 4-bit tensors.

    As bytes they are unsigned with a zero point of 8, so the sign bit of each half turns over.
    """
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "GatherBlockQuantized":
            table = constants[node.input[0]]
            rows, width = table.dims
            if width % 2:
                raise ValueError(f"{table.name} has {width} columns; two by two they make bytes")
            packed = np.frombuffer(table.raw_data, np.uint8).reshape(rows, width // 2) ^ 0x88
            table.CopyFrom(numpy_helper.from_array(packed, table.name))
            node.attribute.append(helper.make_attribute("bits", 4))


def by_channel(model: onnx.ModelProto, operators: tuple[str, ...]) -> None:
    """Weights of `operators` as int8 with a scale for each output channel, made floats at every run."""
    constants = {
        tensor.name: tensor
        for tensor in model.graph.initializer
        if tensor.data_type == TensorProto.FLOAT and np.prod(tensor.dims) >= LEAST
    }
    axes = {
        name: CHANNELS[node.op_type]
        for node in model.graph.node
        if node.op_type in operators
        for name in node.input[1:3]
        if name in constants and len(constants[name].dims) > 2
    }
    restored = []
    for name, axis in axes.items():
        values = numpy_helper.to_array(constants[name])
        others = tuple(place for place in range(values.ndim) if place != axis)
        scale = np.maximum(np.abs(values).max(others, keepdims=True), np.finfo(np.float32).tiny) / 127
        quantized = np.round(values / scale).astype(np.int8)
        constants[name].CopyFrom(numpy_helper.from_array(quantized, f"{name}_int8"))
        model.graph.initializer.append(
            numpy_helper.from_array(scale.astype(np.float32).ravel(), f"{name}_scale")
        )
        restored.append(
            helper.make_node(
                "DequantizeLinear",
                [f"{name}_int8", f"{name}_scale"],
                [name],
                f"{name}_restored",
                axis=axis,
            )
        )
    nodes = [*restored, *model.graph.node]
    del model.graph.node[:]
    model.graph.node.extend(nodes)

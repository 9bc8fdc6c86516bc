"""The ways to make a model smaller, all with onnxruntime's tools. A new way is one function and one row."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import onnx

from coldpress_build.quiet import quiet

BASELINE = "fp32"
WEIGHTED = ("Gather", "MatMul")


@dataclass(frozen=True)
class Recipe:
    """`make(original, target)` writes the candidate; what it raises is the reason that there is none."""

    name: str
    how: str
    make: Callable[[Path, Path], None]


def fp16(original: Path, target: Path) -> None:
    """Weights and arithmetic in half precision; inputs and outputs keep their types."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(original), keep_io_types=True), target)


def int8_dynamic(original: Path, target: Path) -> None:
    """Weights in 8 bits; MatMul rounds its input to 8 bits too, by a scale taken from the whole batch."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    quantize_dynamic(original, target, op_types_to_quantize=list(WEIGHTED), weight_type=QuantType.QInt8)


def int8_weights(original: Path, target: Path) -> None:
    """Weights in 8 bits, made floats again where they are used: Gather by tensor, MatMul by blocks of 32."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    # This also turns Gemm into MatMul and Add, which the second step knows.
    quantize_dynamic(original, target, op_types_to_quantize=["Gather"], weight_type=QuantType.QInt8)
    _blocks(target, target, bits=8, operators=("MatMul",))


def int4_weights(original: Path, target: Path) -> None:
    """Weights in 4 bits with a scale for each block of 32, made floats again where they are used."""
    _blocks(original, target, bits=4, operators=WEIGHTED)


def _blocks(original: Path, target: Path, *, bits: int, operators: tuple[str, ...]) -> None:
    from onnxruntime.quantization.matmul_nbits_quantizer import (
        DefaultWeightOnlyQuantConfig,
        MatMulNBitsQuantizer,
    )

    model = onnx.load(original)
    how = DefaultWeightOnlyQuantConfig(
        block_size=32, is_symmetric=True, bits=bits, op_types_to_quantize=operators
    )
    quantizer = MatMulNBitsQuantizer(model, algo_config=how, nodes_to_exclude=_without_matrix(model))
    quantizer.process()
    onnx.save(quantizer.model.model, target)


def _without_matrix(model: onnx.ModelProto) -> list[str]:
    """Names of the nodes whose constant is no float matrix; the quantizer stops at a Gather from such."""
    matrices = {
        tensor.name
        for tensor in model.graph.initializer
        if tensor.data_type == onnx.TensorProto.FLOAT and len(tensor.dims) == 2
    }
    return [node.name for node in model.graph.node if not matrices.intersection(node.input)]


RECIPES: tuple[Recipe, ...] = (
    Recipe("fp16", "half precision", fp16),
    Recipe("int8-dynamic", "8-bit weights and MatMul inputs", int8_dynamic),
    Recipe("int8-weights", "8-bit weights", int8_weights),
    Recipe("int4-weights", "4-bit weights", int4_weights),
)


def make(recipe: Recipe, original: Path, target: Path) -> str:
    """Write the candidate with the original's metadata. Answers "", or why there is none."""
    try:
        with quiet():
            recipe.make(original, target)
            model = onnx.load(target)
            # The tools drop some of it or add marks of their own; to its readers it is the same model.
            del model.metadata_props[:]
            model.metadata_props.extend(onnx.load(original, load_external_data=False).metadata_props)
            model.ir_version = min(model.ir_version, 10)
            onnx.save(model, target)
    except Exception as error:  # whatever a tool raises about one candidate must not end the others
        return f"it could not be made: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ""

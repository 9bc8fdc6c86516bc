"""The ways to make a model smaller, with onnxruntime's tools. A new way is one function and one row."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import onnx

from coldpress_build.press.static import Rows, int8_static
from coldpress_build.press.weights import WEIGHTED, int4_weights, int8_weights
from coldpress_build.quiet import quiet

BASELINE = "fp32"
IR_VERSION = 10
"""The newest that every reader of these files knows; the tools write what they were built with."""


@dataclass(frozen=True)
class Source:
    """What a candidate is made from: a graph as the tools take it (see `prepare`), rows to calibrate with."""

    model: Path
    rows: Rows | None = None


@dataclass(frozen=True)
class Recipe:
    """`make(source, target)` writes the candidate; what it raises is the reason that there is none.

    `base` is the candidate that it is made from, and without which passing its answers it is not made.
    It is not made either when one of `unless` passed, or one that passed has no more than `enough` of the
    original's bytes.
    `anew`: it is another network, fitted anew; a few rows that it answers as well say little of it.
    """

    name: str
    how: str
    make: Callable[[Source, Path], None]
    base: str = BASELINE
    unless: tuple[str, ...] = ()
    enough: float = 0.0
    anew: bool = False


def fp16(source: Source, target: Path) -> None:
    """Weights and arithmetic in half precision; inputs and outputs keep their types."""
    from onnxruntime.transformers.float16 import convert_float_to_float16

    onnx.save(convert_float_to_float16(onnx.load(source.model), keep_io_types=True), target)


def int8_dynamic(source: Source, target: Path) -> None:
    """Weights in 8 bits; MatMul rounds its input to 8 bits too, by a scale taken from the whole batch."""
    from onnxruntime.quantization import QuantType, quantize_dynamic

    operators = [*WEIGHTED, "LSTM"]
    quantize_dynamic(source.model, target, op_types_to_quantize=operators, weight_type=QuantType.QInt8)


def _static(method: str) -> Callable[[Source, Path], None]:
    return lambda source, target: int8_static(source.model, target, source.rows, method)


def _weights(make: Callable[[Path, Path], None]) -> Callable[[Source, Path], None]:
    return lambda source, target: make(source.model, target)


STATIC = Recipe("int8-static", "8-bit layers, ranges calibrated", _static("minmax"))
POST_TRAINING: tuple[Recipe, ...] = (
    STATIC,
    Recipe("int8-weights", "8-bit weights", _weights(int8_weights)),
    Recipe("int4-weights", "4-bit weights", _weights(int4_weights(32))),
    Recipe("int4-coarse", "4-bit weights, fewer scales", _weights(int4_weights(64))),
)
"""What is worth trying on every network, however it came about."""

RECIPES: tuple[Recipe, ...] = (
    Recipe("fp16", "half precision", fp16),
    Recipe("int8-dynamic", "8-bit weights and MatMul inputs", int8_dynamic),
    *POST_TRAINING,
    Recipe(
        "int8-static-percentile",
        "8-bit layers, ranges without outliers",
        _static("percentile"),
        unless=("int8-static",),
    ),
    Recipe(
        "int8-static-entropy",
        "8-bit layers, ranges of least divergence",
        _static("entropy"),
        unless=("int8-static", "int8-static-percentile"),
    ),
    Recipe(
        "int4-fine",
        "4-bit weights, more scales",
        _weights(int4_weights(16)),
        unless=("int4-weights", "int4-coarse"),
    ),
)


def prepare(original: Path, target: Path) -> Path:
    """The graph as the tools take it, in `target`: constants folded where they can be, no shapes noted."""
    from onnxruntime.quantization.shape_inference import quant_pre_process

    try:
        with quiet():
            # Symbolic inference is for transformers of other exporters, and stops at operators of strings.
            quant_pre_process(original, target, skip_symbolic_shape=True)
    except Exception:  # whatever it raises: the tools also take graphs that it does not
        target.write_bytes(original.read_bytes())
    model = onnx.load(target)
    # Shapes of weights too are among them, which stay as they were when a tool transposes a weight: ONNX
    # then rejects the result. Every tool infers shapes again.
    del model.graph.value_info[:]
    for place, node in enumerate(model.graph.node):
        node.name = node.name or f"{node.op_type}_{place}"  # the tools tell nodes apart by name
    onnx.save(model, target)
    return target


def make(recipe: Recipe, source: Source, target: Path, metadata: Mapping[str, str]) -> str:
    """Write the candidate with `metadata`, the original's. Answers "", or why there is none."""
    try:
        with quiet():
            recipe.make(source, target)
            model = onnx.load(target)
            # The tools drop some of it or add marks of their own; to its readers it is the same model.
            onnx.helper.set_model_props(model, dict(metadata))
            model.ir_version = min(model.ir_version, IR_VERSION)
            onnx.save(model, target)
    except Exception as error:  # whatever a tool raises about one candidate must not end the others
        return f"it could not be made: {type(error).__name__}: {' '.join(str(error).split())[:200]}"
    return ""

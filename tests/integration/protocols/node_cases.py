"""ONNX's own operator tests: a model of one node, its inputs, and what must come out.

The package onnx makes them (`onnx.backend.test.case.node`); no file of theirs is kept here. `python -m` this
module writes the names of those that plain onnxruntime passes and the protocol can carry to `node_cases.txt`.
"""

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
from onnx import TensorProto, numpy_helper
from onnx.backend.test.runner import Runner

from coldpress.tensors import BY_ONNX

NEWEST_IR, NEWEST_OPSET = 13, 26
NAMES = Path(__file__).with_suffix(".txt")


class Case(NamedTuple):
    """`inputs` by name; `outputs` in the model's order, a sequence as a list of arrays."""

    name: str
    model: bytes
    inputs: dict[str, Any]
    outputs: list[Any]
    rtol: float
    atol: float

    def check(self, found: list[Any]) -> None:
        """By onnx's own rule of what is close enough. Raises AssertionError."""
        Runner.assert_similar_outputs(self.outputs, found, self.rtol, self.atol)


def cases() -> Iterator[Case]:
    """All of onnx's that take tensors and give tensors, or sequences of them, of the datatypes here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # numpy's, about overflows that the cases make on purpose
        from onnx.backend.test.case.node import collect_testcases

        made = collect_testcases(None)
    for case in made:
        graph = case.model.graph
        ((given, expected),) = case.data_sets
        if all(_carried(info) for info in graph.input) and all(_carried(info, True) for info in graph.output):
            names = [info.name for info in graph.input]
            inputs = dict(zip(names, map(_array, given), strict=True))
            model = _within_reach(case.model).SerializeToString()
            yield Case(case.name, model, inputs, [_array(value) for value in expected], case.rtol, case.atol)


def _within_reach(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same node in the newest form that this ONNX Runtime knows: onnx itself is ahead of it."""
    model.ir_version = min(model.ir_version, NEWEST_IR)
    for opset in model.opset_import:
        if opset.domain == "":
            opset.version = min(opset.version, NEWEST_OPSET)
    return model


def _carried(info: onnx.ValueInfoProto, output: bool = False) -> bool:
    kind = info.type.WhichOneof("value")
    if output and kind == "sequence_type":
        kind, element = (
            info.type.sequence_type.elem_type.WhichOneof("value"),
            info.type.sequence_type.elem_type,
        )
    else:
        element = info.type
    return kind == "tensor_type" and element.tensor_type.elem_type in BY_ONNX


def _array(value: Any) -> Any:
    if isinstance(value, list):
        return [_array(item) for item in value]
    return numpy_helper.to_array(value) if isinstance(value, TensorProto) else np.asarray(value)


def passes_in_onnxruntime(case: Case) -> bool:
    """Whether plain onnxruntime opens and runs it and its answer is right."""
    try:
        session = onnxruntime.InferenceSession(case.model, providers=["CPUExecutionProvider"])
        case.check(session.run(None, case.inputs))
    except Exception:
        return False
    return True


if __name__ == "__main__":
    onnxruntime.set_default_logger_severity(4)
    passing = sorted(case.name for case in cases() if passes_in_onnxruntime(case))
    NAMES.write_text("".join(f"{name}\n" for name in passing))
    print(len(passing), "cases")

"""Outputs that are no tensors."""

from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from coldpress.ort import Library, Session, TensorSpec
from coldpress.ort.containers import _stack
from coldpress.tensors import Tensor


def zip_map(build: Any, **labels: Any) -> bytes:
    key = TensorProto.STRING if "classlabels_strings" in labels else TensorProto.INT64
    maps = helper.make_map_type_proto(key, helper.make_tensor_type_proto(TensorProto.FLOAT, ()))
    made = build.model(
        [build.node("ZipMap", ["x"], ["p"], domain="ai.onnx.ml", **labels)],
        [build.value("x", build.FLOAT, ["n", 3])],
        [helper.make_value_info("p", helper.make_sequence_type_proto(maps))],
    )
    assert isinstance(made, bytes)
    return made


def shown(specs: tuple[TensorSpec, ...]) -> list[tuple[str, str, tuple[int, ...], str]]:
    return [(spec.name, spec.datatype, spec.shape, spec.kind) for spec in specs]


ROWS = np.array([[0.1, 0.7, 0.2], [0.5, 0.25, 0.25]], "f")


def test_zip_map_with_numbers(library: Library, build: Any, tensor: Any) -> None:
    session = Session.open(library, zip_map(build, classlabels_int64s=[10, 2, 30]))
    (spec,) = session.outputs
    assert (spec.kind, spec.datatype, spec.keys) == ("maps", "FP32", "INT64")
    assert shown(spec.answered()) == [
        ("p", "FP32", (-1, -1), "tensor"),
        ("p.keys", "INT64", (-1,), "tensor"),
    ]
    assert session.run([tensor("x", ROWS)]) == [
        tensor("p", ROWS[:, [1, 0, 2]]),
        tensor("p.keys", [2, 10, 30]),
    ]


def test_zip_map_with_names(library: Library, build: Any, tensor: Any) -> None:
    session = Session.open(library, zip_map(build, classlabels_strings=["z", "a", "é"]))
    assert session.run([tensor("x", ROWS)]) == [
        tensor("p", ROWS[:, [1, 0, 2]]),
        Tensor("p.keys", "BYTES", (3,), [b"a", b"z", "é".encode()]),
    ]


def test_zip_map_of_no_rows_answers_nothing(library: Library, build: Any, tensor: Any) -> None:
    session = Session.open(library, zip_map(build, classlabels_int64s=[1, 2, 3]))
    assert session.run([tensor("x", np.zeros((0, 3), "f"))]) == []


@pytest.mark.parametrize("rows", [0, 1, 3])
def test_a_sequence_of_tensors(library: Library, build: Any, tensor: Any, rows: int) -> None:
    model = build.model(
        [build.node("SplitToSequence", ["x"], ["s"], axis=0, keepdims=0)],
        [build.value("x", build.FLOAT, ["n", 2])],
        [helper.make_tensor_sequence_value_info("s", TensorProto.FLOAT, [2])],
    )
    session = Session.open(library, model)
    assert shown(session.outputs) == [("s", "FP32", (2,), "sequence")]
    assert shown(session.outputs[0].answered()) == [("s.*", "FP32", (2,), "tensor")]
    x = np.arange(rows * 2, dtype="f").reshape(rows, 2)
    found = session.run([tensor("x", x)])
    del session
    assert found == [tensor(f"s.{index}", row) for index, row in enumerate(x)]


def test_a_sequence_of_strings_and_one_that_holds_an_input(library: Library, build: Any, tensor: Any) -> None:
    model = build.model(
        [
            build.node("SequenceConstruct", ["t", "t"], ["texts"]),
            build.node("SequenceConstruct", ["x"], ["numbers"]),
        ],
        [build.value("t", build.STRING, ["n"]), build.value("x", build.FLOAT, ["n"])],
        [
            helper.make_tensor_sequence_value_info("texts", TensorProto.STRING, ["n"]),
            helper.make_tensor_sequence_value_info("numbers", TensorProto.FLOAT, ["n"]),
        ],
    )
    data = np.array([1, 2], "f")
    texts = Tensor("t", "BYTES", (2,), [b"a\0", b"\xff"])
    found = Session.open(library, model).run([texts, Tensor("x", "FP32", (2,), data.data)])
    data[:] = 0
    assert found == [
        Tensor("texts.0", "BYTES", (2,), texts.data),
        Tensor("texts.1", "BYTES", (2,), texts.data),
        tensor("numbers.0", np.array([1, 2], "f")),
    ]


def optional_type() -> Any:
    return helper.make_optional_type_proto(helper.make_tensor_type_proto(TensorProto.FLOAT, ["n"]))


def test_an_optional_is_there_or_is_not(library: Library, build: Any, tensor: Any) -> None:
    model = build.model(
        [
            build.node("Optional", ["x"], ["some"]),
            build.node(
                "Optional", [], ["none"], type=helper.make_tensor_type_proto(TensorProto.FLOAT, ["n"])
            ),
            build.node("Relu", ["x"], ["y"]),
        ],
        [build.value("x", build.FLOAT, ["n"])],
        [
            helper.make_value_info("some", optional_type()),
            helper.make_value_info("none", optional_type()),
            build.value("y", build.FLOAT, ["n"]),
        ],
    )
    session = Session.open(library, model)
    assert shown(session.outputs)[:2] == [
        ("some", "FP32", (-1,), "optional"),
        ("none", "FP32", (-1,), "optional"),
    ]
    x = np.array([1, 2], "f")
    assert session.run([tensor("x", x)]) == [tensor("some", x), tensor("y", x)]


def test_an_optional_input_takes_a_tensor(library: Library, build: Any, tensor: Any) -> None:
    model = build.model(
        [build.node("OptionalGetElement", ["o"], ["y"])],
        [helper.make_value_info("o", optional_type())],
        [build.value("y", build.FLOAT, ["n"])],
    )
    x = np.array([3], "f")
    assert Session.open(library, model).run([tensor("o", x)]) == [tensor("y", x)]


def test_rows_of_strings_are_stacked_too() -> None:
    rows = [Tensor("p", "BYTES", (2,), [b"a", b"b"]), Tensor("p", "BYTES", (2,), [b"c", b"d"])]
    assert _stack("p", rows) == Tensor("p", "BYTES", (2, 2), [b"a", b"b", b"c", b"d"])

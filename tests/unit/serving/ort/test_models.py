"""The same model in plain onnxruntime gives the same bytes: over datatypes and kinds of graph."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from coldpress.ort import Library, Session, SessionOptions
from coldpress.tensors import DATATYPES, Tensor

Agree = Callable[..., list[Tensor]]
NUMERIC = [name for name in DATATYPES if name not in ("BYTES", "BF16")]


def random(name: str, shape: tuple[int, ...]) -> np.ndarray:
    element = helper.tensor_dtype_to_np_dtype(DATATYPES[name].onnx)
    bits = np.random.default_rng(7).integers(0, 256, (*shape, element.itemsize), dtype=np.uint8)
    return bits.view(element)[..., 0] if name != "BOOL" else bits[..., 0] % 2 == 1


@pytest.mark.parametrize("shape", [(), (1,), (0,), (3, 0, 2), (2, 3, 4)], ids=str)
@pytest.mark.parametrize("name", NUMERIC)
def test_every_numeric_datatype_goes_through(
    build: Any, agree: Agree, name: str, shape: tuple[int, ...]
) -> None:
    model = build.unary("Identity", DATATYPES[name].onnx, [f"d{i}" for i in range(len(shape))])
    (found,) = agree(model, x=random(name, shape))
    assert found.shape == shape


def test_bfloat16_goes_through(build: Any, library: Library) -> None:
    model = build.model(
        [
            build.node("Identity", ["x"], ["same"]),
            build.node("Cast", ["x"], ["wide"], to=TensorProto.FLOAT),
        ],
        [build.value("x", TensorProto.BFLOAT16, ["n"])],
        [build.value("same", TensorProto.BFLOAT16, ["n"]), build.value("wide", TensorProto.FLOAT, ["n"])],
    )
    wide = np.array([1.0, -2.5, np.inf], "f")
    narrow = (wide.view(np.uint32) >> 16).astype(np.uint16).tobytes()
    same, found = Session.open(library, model).run([Tensor("x", "BF16", (3,), narrow)])
    assert same == Tensor("same", "BF16", (3,), narrow)
    assert found == Tensor("wide", "FP32", (3,), wide.data)


def test_convolution(build: Any, agree: Agree) -> None:
    rng = np.random.default_rng(1)
    model = build.model(
        [
            build.node("Conv", ["x", "w", "b"], ["c"], pads=[1, 1, 1, 1]),
            build.node("Relu", ["c"], ["r"]),
            build.node("GlobalAveragePool", ["r"], ["p"]),
            build.node("Flatten", ["p"], ["y"]),
        ],
        [build.value("x", build.FLOAT, ["n", 3, 16, 16])],
        [build.value("y", build.FLOAT, ["n", 8])],
        {"w": rng.standard_normal((8, 3, 3, 3)).astype("f"), "b": rng.standard_normal(8).astype("f")},
    )
    agree(model, x=rng.standard_normal((2, 3, 16, 16)).astype("f"))


def test_matrices_and_several_inputs_and_outputs(build: Any, agree: Agree) -> None:
    rng = np.random.default_rng(2)
    model = build.model(
        [
            build.node("MatMul", ["a", "b"], ["m"]),
            build.node("Softmax", ["m"], ["p"]),
            build.node("ArgMax", ["p"], ["k"], axis=1, keepdims=0),
        ],
        [build.value("a", build.FLOAT, ["n", "k"]), build.value("b", build.FLOAT, ["k", "m"])],
        [build.value("p", build.FLOAT, ["n", "m"]), build.value("k", build.INT64, ["n"])],
    )
    agree(model, b=rng.standard_normal((5, 4)).astype("f"), a=rng.standard_normal((3, 5)).astype("f"))


def test_gather(build: Any, agree: Agree) -> None:
    model = build.model(
        [build.node("Gather", ["w", "i"], ["y"])],
        [build.value("i", build.INT64, ["n"])],
        [build.value("y", build.FLOAT, ["n", 2])],
        {"w": np.arange(10, dtype="f").reshape(5, 2)},
    )
    agree(model, i=np.array([4, 0, -1]))


def test_declared_output_shape_that_the_model_does_not_keep(
    build: Any, library: Library, tensor: Any
) -> None:
    model = build.model(
        [build.node("Compress", ["x", "keep"], ["y"], axis=0)],
        [build.value("x", build.FLOAT, ["n"]), build.value("keep", build.BOOL, ["n"])],
        [build.value("y", build.FLOAT, [7])],
    )
    session = Session.open(library, model)
    (found,) = session.run([tensor("x", np.arange(3, dtype="f")), tensor("keep", [True, False, True])])
    assert session.outputs[0].shape == (7,)
    assert found == Tensor("y", "FP32", (2,), np.array([0, 2], "f").data)


def test_text_to_token_ids_in_the_graph(build: Any, agree: Agree, array: Any) -> None:
    model = build.model(
        [
            build.node("StringNormalizer", ["text"], ["lower"], case_change_action="LOWER", locale="C.UTF-8"),
            build.node("StringSplit", ["lower"], ["words", "count"]),
            build.node(
                "LabelEncoder",
                ["words"],
                ["ids"],
                domain="ai.onnx.ml",
                keys_strings=["good", "bad", "größe"],
                values_int64s=[1, 2, 3],
                default_int64=0,
            ),
        ],
        [build.value("text", build.STRING, ["n"])],
        [
            build.value("words", build.STRING, ["n", "w"]),
            build.value("count", build.INT64, ["n"]),
            build.value("ids", build.INT64, ["n", "w"]),
        ],
    )
    words, count, ids = agree(model, text=np.array(["Good BAD", "größe", "", "a b c"], object))
    assert words.data == [b"good", b"bad", b"", "größe".encode(), b"", b"", b"", b"", b"", b"a", b"b", b"c"]
    assert array(ids).tolist() == [[1, 2, 0], [3, 0, 0], [0, 0, 0], [0, 0, 0]]
    assert array(count).tolist() == [2, 1, 0, 3]


def test_loop_and_branches(build: Any, agree: Agree) -> None:
    agree(build.endless(), count=np.array(5), x=np.arange(4, dtype="f"))


@pytest.mark.parametrize("format_", ["ORT", "ONNX"])
def test_optimised_offline_and_opened_without_optimisation(
    build: Any, library: Library, tmp_path: Any, format_: str
) -> None:
    rng = np.random.default_rng(3)
    model = build.model(
        [
            build.node("Conv", ["x", "w"], ["c"]),
            build.node("BatchNormalization", ["c", "s", "b", "m", "v"], ["n"]),
            build.node("Relu", ["n"], ["y"]),
        ],
        [build.value("x", build.FLOAT, ["n", 4, 9, 9])],
        [build.value("y", build.FLOAT, ["n", 16, 7, 7])],
        {
            "w": rng.standard_normal((16, 4, 3, 3)).astype("f"),
            **{name: rng.uniform(1, 2, 16).astype("f") for name in "sbmv"},
        },
    )
    path = tmp_path / "model.bin"
    x = Tensor("x", "FP32", (2, 4, 9, 9), rng.standard_normal((2, 4, 9, 9)).astype("f").data)
    options = SessionOptions(config={"session.save_model_format": format_}, optimised_model_path=str(path))
    expected = Session.open(library, model, options).run([x])
    config = {
        "session.load_model_format": format_,
        "session.use_ort_model_bytes_directly": "1" if format_ == "ORT" else "0",
        "session.use_ort_model_bytes_for_initializers": "1" if format_ == "ORT" else "0",
    }
    session = Session.open(library, path.read_bytes(), SessionOptions(optimisation="none", config=config))
    assert session.run([x]) == expected

"""Opening, describing, checking inputs, choosing outputs, closing."""

import re
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from coldpress.errors import ColdpressError, InvalidRequest, Unavailable, Unsupported, status_of
from coldpress.ort import Library, OrtError, OrtInvalidInput, OrtOutOfMemory, Session, SessionOptions
from coldpress.tensors import Tensor


@pytest.fixture(scope="module")
def model(build: Any) -> bytes:
    """Two inputs (one BOOL of fixed size), three outputs."""
    made = build.model(
        [
            build.node("Relu", ["x"], ["r"]),
            build.node("Not", ["flags"], ["n"]),
            build.node("Shape", ["x"], ["shape"]),
        ],
        [build.value("x", build.FLOAT, ["batch", 2, None]), build.value("flags", build.BOOL, [3])],
        [
            build.value("r", build.FLOAT, ["batch", 2, None]),
            build.value("n", build.BOOL, [3]),
            build.value("shape", build.INT64, [3]),
        ],
        metadata={"coldpress.labels": '["a", "ü"]', "empty": ""},
    )
    assert isinstance(made, bytes)
    return made


@pytest.fixture(scope="module")
def session(library: Library, model: bytes) -> Session:
    return Session.open(library, model)


X = Tensor("x", "FP32", (1, 2, 1), np.array([-1, 1], "f").data)
FLAGS = Tensor("flags", "BOOL", (3,), b"\0\1\0")


def test_declares_inputs_outputs_and_metadata(session: Session) -> None:
    described = [
        (spec.name, spec.datatype, spec.shape, spec.dimensions, spec.kind, spec.ranked)
        for spec in (*session.inputs, *session.outputs)
    ]
    assert described == [
        ("x", "FP32", (-1, 2, -1), ("batch", "", ""), "tensor", True),
        ("flags", "BOOL", (3,), ("",), "tensor", True),
        ("r", "FP32", (-1, 2, -1), ("batch", "", ""), "tensor", True),
        ("n", "BOOL", (3,), ("",), "tensor", True),
        ("shape", "INT64", (3,), ("",), "tensor", True),
    ]
    assert session.metadata == {"coldpress.labels": '["a", "ü"]', "empty": ""}
    assert repr(session.inputs[0]) == "TensorSpec('x', FP32, [-1, 2, -1], tensor)"


def test_a_model_without_metadata(library: Library, build: Any) -> None:
    assert Session.open(library, build.unary("Relu")).metadata == {}


def test_no_rank_is_not_rank_zero(library: Library, build: Any, tensors: Any) -> None:
    free = Session.open(library, build.unary("Relu", shape=None))
    scalar = Session.open(library, build.unary("Relu", shape=()))
    assert [(spec.ranked, spec.shape) for spec in (free.inputs[0], scalar.inputs[0])] == [
        (False, ()),
        (True, ()),
    ]
    assert free.run(tensors(x=np.ones((1, 2), "f")))[0].shape == (1, 2)
    with pytest.raises(InvalidRequest, match=re.escape("input 'x' has 0 dimensions [], but [1] came")):
        scalar.run(tensors(x=np.ones(1, "f")))


@pytest.mark.parametrize("names", [None, []])
def test_no_names_mean_all_outputs(session: Session, names: list[str] | None) -> None:
    assert [tensor.name for tensor in session.run([FLAGS, X], names)] == ["r", "n", "shape"]


def test_only_the_outputs_asked_for_in_that_order(session: Session) -> None:
    shape, relu = session.run([X, FLAGS], ["shape", "r"])
    assert shape == Tensor("shape", "INT64", (3,), np.array([1, 2, 1]).data)
    assert relu == Tensor("r", "FP32", (1, 2, 1), np.array([0, 1], "f").data)


@pytest.mark.parametrize(
    ("inputs", "outputs", "message"),
    [
        ([X], None, "input 'flags' is missing: BOOL of shape [3]"),
        (
            [X, FLAGS, Tensor("z", "FP32", (), bytes(4))],
            None,
            "no input 'z'; the model's inputs are 'x', 'flags'",
        ),
        ([X, FLAGS, X], None, "input 'x' came twice"),
        ([X, Tensor("flags", "INT8", (3,), bytes(3))], None, "input 'flags' is BOOL, but INT8 came"),
        (
            [Tensor("x", "FP32", (2, 2), bytes(16)), FLAGS],
            None,
            "input 'x' has 3 dimensions [-1, 2, -1], but [2, 2] came",
        ),
        (
            [Tensor("x", "FP32", (5, 3, 1), bytes(60)), FLAGS],
            None,
            "input 'x' has shape [-1, 2, -1] (-1 is variable), but [5, 3, 1] came",
        ),
        (
            [Tensor("x", "FP32", (1, 2, 1), bytes(7)), FLAGS],
            None,
            "needs 2 elements (8 bytes), but 7 bytes came",
        ),
        ([X, FLAGS], ["q"], "no output 'q'; the model's outputs are 'r', 'n', 'shape'"),
        ([X, FLAGS], ["r", "r"], "an output is asked for twice in ['r', 'r']"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_refuses_what_is_not_declared(
    session: Session, inputs: list[Tensor], outputs: list[str] | None, message: str
) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        session.run(inputs, outputs)


def gather(build: Any) -> bytes:
    made = build.model(
        [build.node("Gather", ["w", "i"], ["y"])],
        [build.value("i", build.INT64, ["n"])],
        [build.value("y", build.FLOAT, ["n"])],
        {"w": np.arange(4, dtype="f")},
    )
    assert isinstance(made, bytes)
    return made


def test_values_that_the_graph_cannot_take_are_the_callers_fault(
    library: Library, build: Any, tensors: Any, capfd: Any
) -> None:
    with pytest.raises(OrtInvalidInput, match=r"cannot take these values: .*idx=9 must be within") as caught:
        Session.open(library, gather(build)).run(tensors(i=np.array([1, 9])))
    assert (status_of(caught.value), caught.value.reason) == (400, "INVALID_ARGUMENT")
    add = build.model(
        [build.node("Add", ["a", "b"], ["y"])],
        [build.value("a", build.FLOAT, ["n"]), build.value("b", build.FLOAT, ["m"])],
        [build.value("y", build.FLOAT, ["n"])],
    )
    with pytest.raises(OrtInvalidInput, match="2 by 3") as caught:
        Session.open(library, add).run(tensors(a=np.ones(2, "f"), b=np.ones(3, "f")))
    assert (status_of(caught.value), caught.value.reason) == (400, "FAIL")
    assert capfd.readouterr().err == ""  # no client can fill the log


def test_want_of_memory_is_an_answer(library: Library, build: Any, tensors: Any) -> None:
    model = build.model(
        [build.node("Expand", ["one", "shape"], ["y"])],
        [build.value("shape", build.INT64, ["n"])],
        [build.value("y", build.FLOAT, None)],
        {"one": np.ones(1, "f")},
    )
    session = Session.open(library, model)
    with pytest.raises(OrtOutOfMemory, match="the model ran out of memory; send fewer rows") as caught:
        session.run(tensors(shape=np.array([2**50])))
    assert status_of(caught.value) == 413
    assert session.run(tensors(shape=np.array([2])))[0].shape == (2,)


def test_inputs_that_no_client_can_send(library: Library, build: Any) -> None:
    one_float = helper.make_map_type_proto(
        TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, ())
    )
    model = build.model(
        [build.node("DictVectorizer", ["d"], ["y"], domain="ai.onnx.ml", string_vocabulary=["a"])],
        [helper.make_value_info("d", one_float)],
        [build.value("y", build.FLOAT, [1, 1])],
    )
    session = Session.open(library, model)
    assert (session.inputs[0].kind, session.inputs[0].keys, session.inputs[0].datatype) == (
        "map",
        "BYTES",
        "FP32",
    )
    with pytest.raises(Unsupported, match="input 'd' is a map of FP32; only tensors of BOOL"):
        session.run([Tensor("d", "FP32", (1,), bytes(4))])


def test_an_output_that_the_protocol_cannot_carry(library: Library, build: Any, tensors: Any) -> None:
    model = build.model(
        [build.node("Cast", ["x"], ["small"], to=TensorProto.FLOAT8E4M3FN), build.node("Relu", ["x"], ["y"])],
        [build.value("x", build.FLOAT, ["n"])],
        [build.value("small", TensorProto.FLOAT8E4M3FN, ["n"]), build.value("y", build.FLOAT, ["n"])],
    )
    session = Session.open(library, model)
    assert session.outputs[0].datatype == "FLOAT8E4M3FN"
    with pytest.raises(
        Unsupported, match="output 'small' has datatype FLOAT8E4M3FN, which the protocol cannot"
    ):
        session.run(tensors(x=np.ones(1, "f")))
    assert session.run(tensors(x=np.ones(1, "f")), ["y"])[0].shape == (1,)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda _: b"", "INVALID_ARGUMENT"),
        (lambda _: b"\x93 not a model", "INVALID_PROTOBUF"),
        (lambda model: model[: len(model) // 2], "INVALID_PROTOBUF"),
        (lambda model: model.replace(b"Relu", b"Rely"), "INVALID_GRAPH"),
    ],
    ids=["empty", "no protobuf", "truncated", "unknown operator"],
)
def test_models_that_cannot_be_opened(
    library: Library, model: bytes, damage: Callable[[bytes], bytes], reason: str
) -> None:
    with pytest.raises(OrtError) as caught:
        Session.open(library, damage(model))
    assert caught.value.reason == reason


def test_a_closed_session_says_so_and_its_outputs_live_on(library: Library, model: bytes) -> None:
    with Session.open(library, model) as session:
        (relu,) = session.run([X, FLAGS], ["r"])
    for use in (lambda: session.run([X, FLAGS]), lambda: session.metadata):
        with pytest.raises(Unavailable, match="the model was closed before this request ran; send it again"):
            use()
    session.close()
    assert relu == Tensor("r", "FP32", (1, 2, 1), np.array([0, 1], "f").data)


def test_threads_share_a_session_while_it_is_closed(library: Library, model: bytes) -> None:
    session = Session.open(library, model, SessionOptions(threads=2))
    wrong: list[object] = []
    started = threading.Barrier(5)

    def work(number: int) -> None:
        x = Tensor("x", "FP32", (500, 2, 3), np.full((500, 2, 3), number, "f").data)
        started.wait()
        try:
            while True:
                relu, *_ = session.run([x, FLAGS])
                if relu != Tensor("r", "FP32", x.shape, x.data):
                    wrong.append(relu)
        except Unavailable:
            pass
        except ColdpressError as error:
            wrong.append(error)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    started.wait()
    for _ in range(20):
        session.run([X, FLAGS])
    session.close()
    for thread in threads:
        thread.join()
    assert wrong == []


def in_place(build: Any, library: Library, path: Path) -> tuple[bytes, SessionOptions]:
    """A model in ORT format that holds a constant output, and the options that open it in place."""
    model = build.model(
        [build.node("Add", ["x", "w"], ["y"])],
        [build.value("x", build.FLOAT, ["n", 1000])],
        [build.value("y", build.FLOAT, ["n", 1000]), build.value("w", build.FLOAT, [1000])],
        {"w": np.arange(1000, dtype="f")},
    )
    save = SessionOptions(config={"session.save_model_format": "ORT"}, optimised_model_path=str(path))
    Session.open(library, model, save)
    config = {
        "session.load_model_format": "ORT",
        "session.use_ort_model_bytes_directly": "1",
        "session.use_ort_model_bytes_for_initializers": "1",
    }
    return path.read_bytes(), SessionOptions(optimisation="none", config=config)


def test_bytes_used_in_place_stay_until_the_last_output_is_gone(
    library: Library, build: Any, tmp_path: Path, tensors: Any
) -> None:
    saved, options = in_place(build, library, tmp_path / "model.ort")
    held = bytearray(saved)
    session = Session.open(library, held, options)
    with pytest.raises(BufferError):
        held.clear()
    outputs = session.run(tensors(x=np.ones((1, 1000), "f")))
    session.close()
    with pytest.raises(BufferError):
        held.clear()
    assert outputs[1] == Tensor("w", "FP32", (1000,), np.arange(1000, dtype="f").data)
    outputs.clear()
    held.clear()


def test_bytes_not_used_in_place_are_free_once_open(library: Library, model: bytes) -> None:
    held = bytearray(model)
    session = Session.open(library, held)
    held[:] = b"overwritten"
    assert len(session.run([X, FLAGS])) == 3


def test_nothing_is_left_behind(library: Library, model: bytes, build: Any) -> None:
    """Buffers are let go after each run, failed ones too."""
    data = bytearray(8)
    before = sys.getrefcount(data)
    with Session.open(library, model) as session:
        session.run([Tensor("x", "FP32", (1, 2, 1), data), FLAGS])
        with pytest.raises(InvalidRequest):
            session.run([Tensor("x", "FP32", (1, 2, 1), data)])
    data[:] = b"\x09" * 8
    with Session.open(library, gather(build)) as session, pytest.raises(OrtInvalidInput) as caught:
        session.run([Tensor("i", "INT64", (1,), data)])
    data.extend(b"resizable again, even while the error and its traceback are held")
    assert caught.value
    del caught
    assert sys.getrefcount(data) == before


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: SessionOptions(threads=0), "threads is 0; it must be 1 or more"),
        (lambda: SessionOptions(optimisation="most"), "no optimisation level 'most'; there are none, basic"),
    ],
)
def test_options_that_make_no_sense(make: Callable[[], object], message: str) -> None:
    with pytest.raises(InvalidRequest, match=message):
        make()


def test_an_option_for_c_holds_no_nul(library: Library, model: bytes) -> None:
    with pytest.raises(InvalidRequest, match="holds a NUL character"):
        Session.open(library, model, SessionOptions(config={"session.save_model_format": "OR\0T"}))
    with pytest.raises(InvalidRequest, match="holds a NUL character"):
        Session.open(library, "model\0.onnx")

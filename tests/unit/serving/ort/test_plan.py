"""Runs of a kind that was seen before: the same answers from things that are used again."""

import re
import threading
import time
from typing import Any

import numpy as np
import pytest

from coldpress.errors import InvalidRequest, Unavailable
from coldpress.ort import Library, OrtInvalidInput, Session, SessionOptions
from coldpress.ort.plan import MAX_BYTES, is_plain
from coldpress.ort.session import MAX_KINDS
from coldpress.tensors import Tensor


def floats(*values: float, name: str = "x") -> Tensor:
    return Tensor(name, "FP32", (len(values),), np.array(values, "f").data)


@pytest.fixture(scope="module")
def two(library: Library, build: Any) -> Session:
    """y = x + 2, and x itself as it came."""
    made = build.model(
        [build.node("Add", ["x", "two"], ["y"]), build.node("Identity", ["x"], ["same"])],
        [build.value("x", build.FLOAT, ["n"])],
        [build.value("y", build.FLOAT, ["n"]), build.value("same", build.FLOAT, ["n"])],
        {"two": np.array([2], "f")},
    )
    return Session.open(library, made)


def test_each_run_reads_its_own_data_and_keeps_its_own_answer(two: Session) -> None:
    answers = [two.run([floats(number, -number)]) for number in range(5)]
    assert [list] == [type(plans) for plans in two._plans.values()], "nothing was planned"
    for number, (y, same) in enumerate(answers):
        assert y == floats(number + 2, 2 - number, name="y")
        assert same == floats(number, -number, name="same")


def test_outputs_asked_for_make_a_plan_of_their_own(two: Session) -> None:
    for names in (["same", "y"], ["y"], None) * 5:
        assert [tensor.name for tensor in two.run([floats(1, 2, 3)], names)] == (names or ["y", "same"])
    with pytest.raises(InvalidRequest, match="an output is asked for twice"):
        two.run([floats(1, 2, 3)], ["y", "y"])


def test_inputs_in_any_order(library: Library, build: Any) -> None:
    subtract = build.model(
        [build.node("Sub", ["a", "b"], ["y"])],
        [build.value("a", build.FLOAT, ["n"]), build.value("b", build.FLOAT, ["n"])],
        [build.value("y", build.FLOAT, ["n"])],
    )
    session = Session.open(library, subtract)
    a, b = floats(7, name="a"), floats(5, name="b")
    for inputs in ([a, b], [b, a]) * 5:
        assert session.run(inputs) == [floats(2, name="y")]


@pytest.mark.parametrize("wrong", [b"", bytes(4), bytes(12), [0] * 8, None], ids=repr)
def test_data_that_is_not_of_the_shape_is_refused_in_full(two: Session, wrong: Any) -> None:
    for _ in range(5):
        assert two.run([floats(1, 2)])[0] == floats(3, 4, name="y")
        with pytest.raises((InvalidRequest, TypeError), match=r"8 bytes|buffer|bytes-like"):
            two.run([Tensor("x", "FP32", (2,), wrong)])
    assert two.run([floats(3, 4)])[0] == floats(5, 6, name="y")


def test_what_the_graph_refuses_is_refused_each_time(library: Library, build: Any) -> None:
    gather = build.model(
        [build.node("Gather", ["w", "i"], ["y"])],
        [build.value("i", build.INT64, ["n"])],
        [build.value("y", build.FLOAT, ["n"])],
        {"w": np.arange(4, dtype="f")},
    )
    session = Session.open(library, gather)
    for _ in range(6):
        good, bad = (Tensor("i", "INT64", (1,), np.array([index]).data) for index in (3, 9))
        assert session.run([good]) == [floats(3, name="y")]
        with pytest.raises(OrtInvalidInput, match=re.escape("idx=9 must be within")):
            session.run([bad])


def test_shapes_that_follow_from_the_values(library: Library, build: Any) -> None:
    model = build.model(
        [build.node("Expand", ["one", "shape"], ["y"])],
        [build.value("shape", build.INT64, ["n"])],
        [build.value("y", build.FLOAT, None)],
        {"one": np.ones(1, "f")},
    )
    session = Session.open(library, model)
    kept = []
    for shape in ((2, 3), (1, 1), (3, 2), (0, 4), (1, 1), (256, 256), (3, 2), (256, 256)):
        (y,) = session.run([Tensor("shape", "INT64", (2,), np.array(shape).data)])
        assert y == Tensor("y", "FP32", shape, np.ones(shape, "f").tobytes())
        kept.append((y, shape))
    session.close()
    assert all(y == Tensor("y", "FP32", shape, np.ones(shape, "f").tobytes()) for y, shape in kept)


def test_threads_do_not_mix_their_data(two: Session) -> None:
    wrong: list[object] = []

    def work(number: int) -> None:
        for step in range(300):
            (y,) = two.run([floats(*[number * 1000 + step] * 100)], ["y"])
            if y != floats(*[number * 1000 + step + 2] * 100, name="y"):
                wrong.append(y)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []


def test_a_stopped_run_does_not_stop_the_next(library: Library, build: Any) -> None:
    session = Session.open(library, build.endless())

    def run(count: int, seconds: float) -> list[Tensor]:
        count_of = Tensor("count", "INT64", (), count.to_bytes(8, "little"))
        return session.run([count_of, floats(1, 1, 1, 1)], deadline=time.monotonic() + seconds)

    expected = run(3, 1000)
    for _ in range(5):
        assert run(3, 1000) == expected
        with pytest.raises(Unavailable, match="passed its deadline and was stopped"):
            run(2**60, 0.05)
        assert run(3, 1000) == expected


def test_only_a_few_kinds_are_kept(library: Library, build: Any) -> None:
    session = Session.open(library, build.unary("Relu"))
    for _ in range(5):
        for count in range(1, MAX_KINDS + 20):
            assert session.run([floats(*[1.0] * count)])[0].shape == (count,)
    assert len(session._plans) == MAX_KINDS


def test_a_closed_session_keeps_no_plan_and_no_bytes(library: Library, build: Any) -> None:
    options = SessionOptions(config={"session.use_ort_model_bytes_directly": "1"})
    held = bytearray(build.unary("Relu"))
    session = Session.open(library, held, options)
    for _ in range(5):
        session.run([floats(1, 2)])
    assert any(session._plans.values())
    with pytest.raises(BufferError):
        held.clear()
    session.close()
    held.clear()
    with pytest.raises(Unavailable, match="the model was closed"):
        session.run([floats(1, 2)])


@pytest.mark.parametrize(
    ("tensors", "plain"),
    [
        ([], True),
        ([floats(1)], True),
        ([Tensor("x", "UINT8", (MAX_BYTES,), bytes(MAX_BYTES))], True),
        ([Tensor("x", "UINT8", (MAX_BYTES,), bytes(MAX_BYTES)), floats(1)], False),
        ([Tensor("x", "FP32", (0,), b"")], False),
        ([Tensor("x", "BOOL", (1,), b"\1")], False),
        ([Tensor("x", "BYTES", (1,), [b"a"])], False),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_planned(tensors: list[Tensor], plain: bool) -> None:
    assert is_plain(tensors) is plain


def test_a_bool_is_looked_at_each_time(library: Library, build: Any) -> None:
    session = Session.open(library, build.unary("Not", build.BOOL))
    for _ in range(6):
        assert session.run([Tensor("x", "BOOL", (2,), b"\1\0")])[0].data == b"\0\1"
        with pytest.raises(InvalidRequest, match="a BOOL is one byte, 0 or 1"):
            session.run([Tensor("x", "BOOL", (2,), b"\1\2")])

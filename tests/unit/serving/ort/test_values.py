"""Buffers in and out: what is shared, what is copied, and how long it lives."""

import array
import gc
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from coldpress.ort import Library, Session
from coldpress.ort.buffers import Pin
from coldpress.ort.values import Inputs
from coldpress.tensors import Tensor

FLOATS = array.array("f", [1, -2, 3, 4])


@pytest.fixture(scope="module")
def relu(library: Library, build: Any) -> Session:
    return Session.open(library, build.unary("Relu"))


@pytest.fixture(scope="module")
def strings(library: Library, build: Any) -> Session:
    return Session.open(library, build.unary("Identity", build.STRING, ["n", "m"]))


def mapped(path: Path) -> mmap.mmap:
    path.write_bytes(FLOATS.tobytes())
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


@pytest.mark.parametrize(
    "holder",
    [
        lambda _: FLOATS,
        lambda _: FLOATS.tobytes(),
        lambda _: bytearray(FLOATS.tobytes()),
        lambda _: memoryview(FLOATS),
        lambda _: memoryview(b"1234" + FLOATS.tobytes())[4:],
        lambda _: memoryview(b"1" + FLOATS.tobytes())[1:],
        lambda _: memoryview(FLOATS).toreadonly(),
        lambda _: np.array(FLOATS),
        lambda _: np.array(FLOATS).reshape(2, 2),
        mapped,
    ],
    ids=[
        "array",
        "bytes",
        "bytearray",
        "view",
        "slice",
        "odd slice",
        "readonly",
        "numpy",
        "numpy 2-d",
        "mmap",
    ],
)
def test_any_buffer_is_read(relu: Session, holder: Any, tmp_path: Path) -> None:
    (found,) = relu.run([Tensor("x", "FP32", (4,), holder(tmp_path / "file"))])
    assert found == Tensor("y", "FP32", (4,), array.array("f", [1, 0, 3, 4]))


def test_a_misaligned_buffer_is_copied_and_no_other(library: Library) -> None:
    raw = b"1" + FLOATS.tobytes() + b"123"
    for offset, shared in ((0, True), (1, False), (2, False), (4, True)):
        view = memoryview(raw)[offset : offset + 16]
        pin = Pin(view)
        inputs = Inputs(library)
        inputs.add(Tensor("x", "FP32", (4,), view))
        assert inputs.overlaps(pin.address) is shared
        inputs.close()


def test_a_pin_holds_and_lets_go() -> None:
    data = bytearray(b"abc")
    pin = Pin(data)
    assert pin.nbytes == 3
    with pytest.raises(BufferError):
        data.append(0)
    pin.release()
    pin.release()
    data.append(0)
    again = Pin(data)
    del again
    data.append(0)
    with pytest.raises(BufferError):
        Pin(memoryview(b"abcd")[::2])
    with pytest.raises(TypeError):
        Pin("text")  # type: ignore[arg-type]


def test_an_output_is_a_read_only_view_that_outlives_everything(library: Library, build: Any) -> None:
    session = Session.open(library, build.unary("Relu"))
    (found,) = session.run([Tensor("x", "FP32", (4,), FLOATS)])
    assert isinstance(found.data, memoryview)
    assert (found.data.readonly, found.data.format, found.data.nbytes, found.data.ndim) == (True, "B", 16, 1)
    part = found.data[4:12]
    del session, found
    gc.collect()
    noise = [bytes(range(16)) for _ in range(1000)]  # would land in the memory, were it free
    assert (part.tobytes(), len(noise)) == (array.array("f", [0, 3]).tobytes(), 1000)


def test_an_input_handed_on_as_an_output_is_copied(library: Library, build: Any) -> None:
    model = build.model(
        [build.node("Relu", ["x"], ["y"])],
        [build.value("x", build.FLOAT, ["n"])],
        [build.value("x", build.FLOAT, ["n"]), build.value("y", build.FLOAT, ["n"])],
    )
    data = array.array("f", FLOATS)
    same, _ = Session.open(library, model).run([Tensor("x", "FP32", (4,), data)])
    data[0] = 99
    assert same == Tensor("x", "FP32", (4,), FLOATS)


@pytest.mark.parametrize(
    ("shape", "data"),
    [
        ((2, 2), [b"a", b"", "größe".encode(), b"last"]),
        ((1, 4), [b"\0", b"a\0b", b"\0\0", b"tail\0"]),
        ((1, 3), [b"\xff\xfe", bytes(range(256)), b"\x80"]),
        ((1, 1), [b""]),
        ((3, 1), [b"", b"", b""]),
        ((0, 3), []),
        ((1, 1), [b"x" * 1_000_000]),
    ],
    ids=["text", "NUL", "no UTF-8", "empty", "empties", "none", "long"],
)
def test_strings_survive_byte_for_byte(strings: Session, shape: tuple[int, ...], data: list[bytes]) -> None:
    (found,) = strings.run([Tensor("x", "BYTES", shape, data)])
    assert found == Tensor("y", "BYTES", shape, data)


def test_memory_is_given_back(library: Library, build: Any) -> None:
    """A thousand runs of 4 MB each way, then none of it is held."""
    session = Session.open(library, build.unary("Relu"))
    data = bytes(4_000_000)

    def resident() -> int:
        return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE

    for _ in range(5):
        session.run([Tensor("x", "FP32", (1_000_000,), data)])
    before = resident()
    for _ in range(1000):
        session.run([Tensor("x", "FP32", (1_000_000,), data)])
    assert resident() - before < 100_000_000

"""The datatype table against ONNX's and numpy's own, and the checks of a tensor."""

import array
import re

import numpy as np
import onnx
import pytest
from onnx import TensorProto

from coldpress.errors import InvalidRequest
from coldpress.tensors import BY_ONNX, DATATYPES, Tensor, check, element_count

ONNX_NAMES = {"BYTES": "STRING", "FP16": "FLOAT16", "BF16": "BFLOAT16", "FP32": "FLOAT", "FP64": "DOUBLE"}
"""OIP name -> ONNX name, where they differ."""


@pytest.mark.parametrize("name", DATATYPES)
def test_table_agrees_with_onnx_and_numpy(name: str) -> None:
    row = DATATYPES[name]
    assert row.onnx == TensorProto.DataType.Value(ONNX_NAMES.get(name, name))
    assert BY_ONNX[row.onnx] is row
    if name != "BYTES":
        assert row.size == onnx.helper.tensor_dtype_to_np_dtype(row.onnx).itemsize
    if row.typecode:
        assert array.array(row.typecode).itemsize == row.size
        kind = np.dtype(row.typecode).kind
        assert kind == {"BOOL": "u", "FP": "f", "INT": "i", "UINT": "u"}[re.sub(r"\d", "", name)]


def test_table_is_the_protocols() -> None:
    assert set(DATATYPES) == {
        "BOOL", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64",
        "FP16", "BF16", "FP32", "FP64", "BYTES",
    }  # fmt: skip


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor("x", "FP32", (2, 3), bytes(24)),
        Tensor("x", "FP32", (), bytes(4)),
        Tensor("x", "FP64", (0, 3), b""),
        Tensor("x", "FP32", [2], array.array("f", [1, 2])),
        Tensor("x", "INT64", (2,), np.arange(2).data),
        Tensor("x", "FP16", (4,), memoryview(bytes(9))[1:]),
        Tensor("x", "BOOL", (3,), b"\x00\x01\x01"),
        Tensor("x", "BYTES", (2, 1), [b"\xff\x00", b""]),
        Tensor("x", "BYTES", (0,), []),
        Tensor("x", "UINT8", (0, 2**62), b""),
    ],
    ids=repr,
)
def test_check_answers_the_row(tensor: Tensor) -> None:
    assert check(tensor) is DATATYPES[tensor.datatype]


@pytest.mark.parametrize(
    ("tensor", "message"),
    [
        (Tensor("x", "FP8", (1,), b"1"), "tensor 'x': no datatype 'FP8'; there are BOOL, INT8, "),
        (Tensor("x", "INT8", (-1,), b""), "shape [-1] has a dimension that is no whole number >= 0"),
        (Tensor("x", "INT8", (1.0,), b"1"), "shape [1.0] has a dimension"),  # type: ignore[arg-type]
        (Tensor("x", "INT8", (True,), b"1"), "shape [True] has a dimension"),
        (
            Tensor("x", "FP32", (2, 3), bytes(20)),
            "tensor 'x': shape [2, 3] of FP32 needs 6 elements (24 bytes), but 20 bytes came",
        ),
        (Tensor("x", "FP32", (), b""), "shape [] of FP32 needs 1 elements (4 bytes), but 0 bytes came"),
        (Tensor("x", "INT8", (2**32, 2**32), b""), "is larger than 64 bits can count"),
        (Tensor("x", "INT8", (2**63, 0), b""), "is larger than 64 bits can count"),
        (Tensor("x", "INT8", (0, 2**40, 2**40), b""), "is larger than 64 bits can count"),
        (Tensor("x", "FP64", (2**61,), b""), "is larger than 64 bits can count"),
        (Tensor("x", "FP32", (2,), [b"a", b"b"]), "FP32 needs a buffer, not a list"),
        (Tensor("x", "FP32", (2,), np.zeros(4, "f").data[::2]), "its buffer has gaps"),
        (Tensor("x", "BOOL", (2,), b"\x00\x02"), "a BOOL is one byte, 0 or 1"),
        (Tensor("x", "BYTES", (1,), b"a"), "BYTES needs a list of byte strings"),
        (Tensor("x", "BYTES", (2,), [b"a", "b"]), "BYTES needs a list of byte strings"),  # type: ignore[list-item]
        (Tensor("x", "BYTES", (2,), [b"a", None]), "BYTES needs a list of byte strings"),  # type: ignore[list-item]
        (Tensor("x", "BYTES", (3,), [b"a"]), "shape [3] needs 3 elements, but 1 came"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_check_refuses(tensor: Tensor, message: str) -> None:
    with pytest.raises(InvalidRequest, match=re.escape(message)):
        check(tensor)


def test_equal_tensors_have_equal_bytes_whatever_holds_them() -> None:
    tensor = Tensor("x", "FP32", (2,), array.array("f", [1, 2]))
    assert tensor == Tensor("x", "FP32", [2], np.array([1, 2], "f").tobytes())
    assert tensor != Tensor("y", "FP32", (2,), tensor.data)
    assert tensor != Tensor("x", "FP32", (1, 2), tensor.data)
    assert tensor != Tensor("x", "INT32", (2,), tensor.data)
    assert tensor != Tensor("x", "FP32", (2,), array.array("f", [1, 3]))
    assert Tensor("s", "BYTES", (1,), [b"a"]) == Tensor("s", "BYTES", (1,), [b"a"])
    assert tensor != "x"
    with pytest.raises(TypeError, match="unhashable"):
        hash(tensor)


def test_repr_shows_no_data() -> None:
    assert repr(Tensor("x", "FP32", (2,), bytes(8))) == "Tensor('x', FP32, [2], 8 bytes)"
    assert repr(Tensor("s", "BYTES", (1,), [b"secret"])) == "Tensor('s', BYTES, [1], 1 strings)"


@pytest.mark.parametrize(("shape", "count"), [((), 1), ((3,), 3), ((2, 3), 6), ((5, 0), 0)])
def test_element_count(shape: tuple[int, ...], count: int) -> None:
    assert element_count(shape) == count

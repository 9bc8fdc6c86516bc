"""The one table of tensor datatypes, and a tensor over a buffer."""

from __future__ import annotations

from coldpress.errors import InvalidRequest

# mypy takes any constant of this name as True; importing `typing` would cost 2.7 ms of the cold start,
# `dataclasses` 7 ms and 0.7 ms more for each class. So the records here are plain classes.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Final

    from typing_extensions import Buffer

MAX_BYTES = 2**63 - 1
"""ONNX Runtime counts bytes in a signed 64-bit integer."""


class Datatype:
    """One row of the table.

    `name` is the Open Inference Protocol's, `onnx` the number in ONNX's TensorProto.DataType (and in ONNX
    Runtime's ONNXTensorElementDataType), `size` the bytes of one element (0: variable), `typecode` the letter
    of `array` and `memoryview.cast` ("": they know none).
    """

    __slots__ = ("name", "onnx", "size", "typecode")

    name: Final[str]
    onnx: Final[int]
    size: Final[int]
    typecode: Final[str]

    def __init__(self, name: str, onnx: int, size: int, typecode: str) -> None:
        self.name = name
        self.onnx = onnx
        self.size = size
        self.typecode = typecode

    def __repr__(self) -> str:
        return f"Datatype({self.name!r}, onnx={self.onnx}, size={self.size}, typecode={self.typecode!r})"


# Written out, not derived: the numbers are ONNX's and never change.
_TABLE = (
    Datatype("BOOL", 9, 1, "B"),
    Datatype("INT8", 3, 1, "b"),
    Datatype("INT16", 5, 2, "h"),
    Datatype("INT32", 6, 4, "i"),
    Datatype("INT64", 7, 8, "q"),
    Datatype("UINT8", 2, 1, "B"),
    Datatype("UINT16", 4, 2, "H"),
    Datatype("UINT32", 12, 4, "I"),
    Datatype("UINT64", 13, 8, "Q"),
    Datatype("FP16", 10, 2, ""),
    Datatype("BF16", 16, 2, ""),
    Datatype("FP32", 1, 4, "f"),
    Datatype("FP64", 11, 8, "d"),
    Datatype("BYTES", 8, 0, ""),
)

DATATYPES: dict[str, Datatype] = {row.name: row for row in _TABLE}
BY_ONNX: dict[int, Datatype] = {row.onnx: row for row in _TABLE}


class Tensor:
    """A named tensor over a buffer that it does not copy.

    `shape` is in elements, row-major. `data` is a C-contiguous little-endian buffer of exactly the shape's
    bytes (BOOL: one byte each, 0 or 1), or for BYTES a list of `bytes`, one per element. Nothing is checked
    here; `check` does that. Not to be changed once made.
    """

    __slots__ = ("data", "datatype", "name", "shape")

    name: Final[str]
    datatype: Final[str]
    shape: Final[tuple[int, ...]]
    data: Final[Buffer | list[bytes]]

    def __init__(self, name: str, datatype: str, shape: Iterable[int], data: Buffer | list[bytes]) -> None:
        self.name = name
        self.datatype = datatype
        self.shape = tuple(shape)
        self.data = data

    def __repr__(self) -> str:
        held = (
            f"{len(self.data)} strings"
            if isinstance(self.data, list)
            else f"{memoryview(self.data).nbytes} bytes"
        )
        return f"Tensor({self.name!r}, {self.datatype}, {list(self.shape)}, {held})"

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Tensor):
            return NotImplemented
        return (self.name, self.datatype, self.shape, _plain(self.data)) == (
            other.name,
            other.datatype,
            other.shape,
            _plain(other.data),
        )

    __hash__ = None  # type: ignore[assignment]  # its data may be a buffer that somebody else changes


def _plain(data: Buffer | list[bytes]) -> bytes | list[bytes]:
    return data if isinstance(data, list) else memoryview(data).tobytes()


def element_count(shape: Iterable[int]) -> int:
    """The product of the dimensions; 1 for a 0-d tensor."""
    count = 1
    for dimension in shape:
        count *= dimension
    return count


def check(tensor: Tensor) -> Datatype:
    """The tensor's row of the table, once its data is known to be what its datatype and shape say.

    Raises:
        InvalidRequest: unknown datatype, a dimension that is no whole number >= 0, a shape beyond what 64
            bits count, more or fewer elements than the shape has, strings where numbers belong or the
            reverse, a buffer with gaps, a BOOL byte that is neither 0 nor 1.
    """
    name, shape = tensor.name, tensor.shape
    row = DATATYPES.get(tensor.datatype)
    if row is None:
        raise InvalidRequest(
            f"tensor {name!r}: no datatype {tensor.datatype!r}; there are {', '.join(DATATYPES)}"
        )
    count, extent = 1, row.size or 1
    for dimension in shape:
        if type(dimension) is not int or dimension < 0:
            raise InvalidRequest(
                f"tensor {name!r}: shape {list(shape)} has a dimension that is no whole number >= 0"
            )
        count *= dimension
        # A dimension of 0 must not hide others whose product no kernel can hold.
        extent *= dimension or 1
        if extent > MAX_BYTES:
            raise InvalidRequest(f"tensor {name!r}: shape {list(shape)} is larger than 64 bits can count")
    if row.size == 0:
        _check_strings(tensor, count)
    else:
        _check_buffer(tensor, row, count)
    return row


def _check_strings(tensor: Tensor, count: int) -> None:
    data = tensor.data
    if not isinstance(data, list) or not set(map(type, data)) <= {bytes}:
        raise InvalidRequest(f"tensor {tensor.name!r}: BYTES needs a list of byte strings")
    if len(data) != count:
        raise InvalidRequest(
            f"tensor {tensor.name!r}: shape {list(tensor.shape)} needs {count} elements, but {len(data)} came"
        )


def _check_buffer(tensor: Tensor, row: Datatype, count: int) -> None:
    if isinstance(tensor.data, list):
        raise InvalidRequest(f"tensor {tensor.name!r}: {row.name} needs a buffer, not a list")
    view = memoryview(tensor.data)
    if not view.c_contiguous:
        raise InvalidRequest(f"tensor {tensor.name!r}: its buffer has gaps; give it row-major and packed")
    if view.nbytes != count * row.size:
        raise InvalidRequest(
            f"tensor {tensor.name!r}: shape {list(tensor.shape)} of {row.name} needs {count} elements "
            f"({count * row.size} bytes), but {view.nbytes} bytes came"
        )
    # In C++ any other byte in a bool is undefined behaviour: kernels that count or index by it overrun.
    if row.onnx == 9 and bytes(view).translate(None, b"\0\1"):
        raise InvalidRequest(f"tensor {tensor.name!r}: a BOOL is one byte, 0 or 1")

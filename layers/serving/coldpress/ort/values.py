"""Tensor <-> OrtValue: numbers without a copy in either direction, strings by one call."""

from __future__ import annotations

import ctypes
import sys
from ctypes import POINTER, byref, c_char_p, c_int, c_int64, c_size_t, c_ubyte, c_void_p

from coldpress.errors import Unsupported
from coldpress.ort.buffers import Pin
from coldpress.ort.typeinfo import FOREIGN
from coldpress.tensors import BY_ONNX, DATATYPES, Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coldpress.ort.api import Api
    from coldpress.ort.library import Library
    from coldpress.tensors import Datatype

STRING = 8
_ShapePointer = POINTER(c_int64)


class Value:
    """Owns one OrtValue. `keep` is whatever else the value's memory may lie in (the native session)."""

    __slots__ = ("_release", "keep", "pointer")

    def __init__(self, api: Api, pointer: int, keep: object = None) -> None:
        self.pointer = pointer
        self.keep = keep
        self._release = api.ReleaseValue

    def __del__(self, _finalizing: object = sys.is_finalizing) -> None:
        # At exit the process's memory goes anyway, and the library may be half torn down.
        if not _finalizing():  # type: ignore[operator]
            self._release(self.pointer)


class _Memory(ctypes.Array):  # type: ignore[type-arg]
    """Exports memory that an OrtValue owns: each memoryview or slice of it holds this, and this the Value.

    One class of absurd length, always sliced: a class for each length would cost 20 us and never be freed.
    """

    _type_ = c_ubyte
    _length_ = 2**62
    __slots__ = ("owner",)
    owner: Value


class Inputs:
    """The OrtValues of one run's inputs.

    Numeric ones point into the callers' buffers, pinned here; both are held until `close`, which comes after
    the run. Nothing native outlives it: an output that shares an input's memory is copied (`overlaps`).
    """

    def __init__(self, library: Library) -> None:
        self._library = library
        self._pins: list[Pin] = []
        self._values: list[Value] = []

    def add(self, tensor: Tensor) -> int:
        """The OrtValue's pointer of a tensor that `check` has passed."""
        row = DATATYPES[tensor.datatype]
        shape = (c_int64 * len(tensor.shape))(*tensor.shape)
        made = c_void_p()
        if isinstance(tensor.data, list):
            self._library.api.CreateTensorAsOrtValue(
                self._library.allocator, shape, len(shape), row.onnx, byref(made)
            )
            value = self._own(made)
            self._fill(value, tensor.data)
            return value.pointer
        pin = self._pin(tensor, row)
        self._library.api.CreateTensorWithDataAsOrtValue(
            self._library.memory_info, pin.address, pin.nbytes, shape, len(shape), row.onnx, byref(made)
        )
        return self._own(made).pointer

    def _own(self, made: c_void_p) -> Value:
        value = Value(self._library.api, made.value or 0)
        self._values.append(value)
        return value

    def _pin(self, tensor: Tensor, row: Datatype) -> Pin:
        pin = Pin(tensor.data)  # type: ignore[arg-type]
        # A binary request's tensors follow text of any length. Compiled loops assume that a float lies on a
        # multiple of 4, and may crash where it does not; a copy starts on a multiple of 16.
        if pin.address % row.size:
            pin = Pin(ctypes.string_at(pin.address, pin.nbytes))
        self._pins.append(pin)
        return pin

    def _fill(self, value: Value, strings: list[bytes]) -> None:
        api = self._library.api
        # A power of two, as ctypes makes (and hardly ever frees) an array class for each length.
        pointers = (c_char_p * (1 << len(strings).bit_length()))(*strings)
        api.FillStringTensor(value.pointer, pointers, len(strings))
        # That call reads each string up to its first NUL; the few that hold one are written again by length.
        for index, string in enumerate(strings):
            if b"\0" in string:
                room = c_void_p()
                api.GetResizedStringTensorElementBuffer(value.pointer, index, len(string), byref(room))
                ctypes.memmove(room.value or 0, string, len(string))

    def overlaps(self, address: int) -> bool:
        """Whether `address` lies in a caller's buffer (a graph may hand an input on as an output)."""
        return any(pin.address <= address < pin.address + pin.nbytes for pin in self._pins)

    def close(self) -> None:
        """Release the OrtValues, then the buffers under them."""
        self._values.clear()
        for pin in self._pins:
            pin.release()


def read_tensor(library: Library, inputs: Inputs, name: str, value: Value) -> Tensor:
    """The tensor in an OrtValue. Numbers are a read-only view that keeps the value alive; strings are copied.

    Raises:
        Unsupported: its datatype is not in the table.
    """
    element, sizes, rank = c_int(), _ShapePointer(), c_size_t()
    library.api.GetTensorElementTypeAndShapeDataReference(
        value.pointer, byref(element), byref(sizes), byref(rank)
    )
    row = BY_ONNX.get(element.value)
    if row is None:
        datatype = FOREIGN.get(element.value, element.value)
        raise Unsupported(
            f"output {name!r} has datatype {datatype}, which the protocol cannot carry; cast it in the graph"
        )
    shape = tuple(sizes[: rank.value])
    count = 1
    for size in shape:
        count *= size
    if row.onnx == STRING:
        return Tensor(name, row.name, shape, _read_strings(library.api, value, count))
    if count == 0:
        return Tensor(name, row.name, shape, b"")
    return Tensor(name, row.name, shape, _read_numbers(library.api, inputs, value, count * row.size))


def _read_numbers(api: Api, inputs: Inputs, value: Value, nbytes: int) -> memoryview | bytes:
    data = c_void_p()
    api.GetTensorMutableData(value.pointer, byref(data))
    address = data.value or 0
    if inputs.overlaps(address):
        return ctypes.string_at(address, nbytes)
    memory = _Memory.from_address(address)
    memory.owner = value
    # Read-only: an output may be one of the model's own constants.
    return memoryview(memory)[:nbytes].cast("B").toreadonly()


def _read_strings(api: Api, value: Value, count: int) -> list[bytes]:
    if count == 0:
        return []
    # Bytearrays, for the same reason as in `_fill`.
    total, offsets = c_size_t(), bytearray(8 * count)
    api.GetStringTensorDataLength(value.pointer, byref(total))
    content = bytearray(total.value + 1)  # an empty one would have no address
    pins = Pin(content), Pin(offsets)
    api.GetStringTensorContent(value.pointer, pins[0].address, total.value, pins[1].address, count)
    starts = memoryview(offsets).cast("Q").tolist()
    packed = bytes(content)
    return [packed[start:end] for start, end in zip(starts, [*starts[1:], total.value], strict=True)]

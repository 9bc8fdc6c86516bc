"""Binary tensor data: raw bytes <-> a tensor's data, as Triton's extension lays them out.

Little-endian, packed, row-major; BOOL is one byte; a BYTES element is its length in four bytes,
then the bytes. The tensors follow the JSON part of a body, whose length a header gives.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from math import prod
from struct import pack, unpack_from
from typing import Any

from coldpress.errors import InvalidRequest, TooLarge
from coldpress.protocols.oip.inference import LENGTH_HEADER
from coldpress.registry import Manifest
from coldpress.tensors import DATATYPES, Tensor


def split(body: bytes, header: str | None) -> tuple[bytes, memoryview]:
    """A body's JSON part and the binary data behind it. Raises `InvalidRequest`."""
    if header is None:
        return body, memoryview(b"")
    length = int(header) if header.isascii() and header.isdigit() and len(header) < 20 else -1
    if not 0 <= length <= len(body):
        raise InvalidRequest(
            f"{LENGTH_HEADER} must be the length of the JSON part, from 0 to the body's {len(body)} bytes; "
            f"got {header!r:.40}"
        )
    return body[:length], memoryview(body)[length:]


class Reader:
    """Hands out the binary data behind the JSON part, in the order of the inputs."""

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._at = 0

    def take(self, name: str, size: Any) -> memoryview:
        """The next `size` bytes, for the input `name`. Raises `InvalidRequest`."""
        if type(size) is not int or size < 0:
            raise InvalidRequest(
                f"input {name!r}: binary_data_size must be a whole number from 0, not {size!r:.40}"
            )
        left = len(self._data) - self._at
        if size > left:
            raise InvalidRequest(
                f"input {name!r}: binary_data_size is {size} bytes, but the body has {left} left"
            )
        self._at += size
        return self._data[self._at - size : self._at]

    def finish(self) -> None:
        """Raises `InvalidRequest` when bytes are left over."""
        left = len(self._data) - self._at
        if left:
            raise InvalidRequest(
                f"the body has {left} bytes more than the inputs' binary_data_size add up to"
            )


def unpack(name: str, datatype: str, shape: list[int], data: memoryview, max_elements: int) -> Tensor:
    """A tensor over `data`, without a copy of numbers. Raises `InvalidRequest`, `TooLarge`."""
    known = DATATYPES.get(datatype)
    if known is None:
        raise InvalidRequest(
            f"input {name!r}: {datatype!r:.40} is no datatype; the datatypes are {', '.join(DATATYPES)}"
        )
    count = prod(shape)
    if count > max_elements:
        raise TooLarge(f"input {name!r}: shape {shape} has {count} elements, the limit is {max_elements}")
    if datatype == "BYTES":
        return Tensor(name, datatype, tuple(shape), strings(name, count, data))
    expected = count * known.size
    if len(data) != expected:
        raise InvalidRequest(
            f"input {name!r}: {datatype} of shape {shape} needs {expected} bytes, "
            f"binary_data_size is {len(data)}"
        )
    return Tensor(name, datatype, tuple(shape), data)


def strings(name: str, count: int, data: memoryview) -> list[bytes]:
    """The elements of a BYTES tensor. Raises `InvalidRequest`."""
    elements: list[bytes] = []
    at = 0
    while len(elements) < count:
        if at + 4 > len(data):
            raise InvalidRequest(
                f"input {name!r}: {count} elements were expected, the data ends after {len(elements)}"
            )
        length = unpack_from("<I", data, at)[0]
        at += 4
        if at + length > len(data):
            raise InvalidRequest(
                f"input {name!r}: element {len(elements)} claims {length} bytes, "
                f"only {len(data) - at} are left"
            )
        elements.append(bytes(data[at : at + length]))
        at += length
    if at != len(data):
        raise InvalidRequest(f"input {name!r}: {len(data) - at} bytes are left over after {count} elements")
    return elements


def raw_input(manifest: Manifest, data: memoryview, max_elements: int) -> Tensor:
    """The whole body as the model's only input, for a header of 0.

    At most one dimension may be variable; its length follows from the body's. A BYTES input is one
    element, without a length in front.

    Raises:
        InvalidRequest: several inputs, several variable dimensions, or a body of another length.
    """
    if len(manifest.inputs) != 1:
        raise InvalidRequest(
            f"a raw body needs a model with one input; {manifest.model} has {len(manifest.inputs)}"
        )
    info = manifest.inputs[0]
    variable = [axis for axis, length in enumerate(info.shape) if length < 0]
    shape = list(info.shape)
    if info.datatype == "BYTES":
        shape = [1 if length < 0 else length for length in shape]
        if prod(shape) != 1:
            raise InvalidRequest(
                f"a raw body is one BYTES element; input {info.name!r} has the shape {list(info.shape)}"
            )
        return Tensor(info.name, info.datatype, tuple(shape), [bytes(data)])
    if len(variable) > 1:
        raise InvalidRequest(
            f"a raw body cannot tell the shape of {info.name!r}: {list(info.shape)} varies twice"
        )
    if variable:
        step = DATATYPES[info.datatype].size * prod(length for length in shape if length >= 0)
        if step == 0 or len(data) % step:
            raise InvalidRequest(
                f"input {info.name!r} takes a multiple of {step} bytes, the body has {len(data)}"
            )
        shape[variable[0]] = len(data) // step
    return unpack(info.name, info.datatype, shape, data, max_elements)


def to_bytes(tensor: Tensor) -> bytes | memoryview:
    """A tensor's data as it goes behind the JSON part."""
    if not isinstance(tensor.data, list):
        return memoryview(tensor.data).cast("B")
    return b"".join(pack("<I", len(element)) + element for element in tensor.data)

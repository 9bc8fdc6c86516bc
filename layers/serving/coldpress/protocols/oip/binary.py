"""Binary tensor data: raw bytes <-> a tensor's data, as Triton's extension lays them out.

Little-endian, packed, row-major; BOOL is one byte; a BYTES element is its length in four bytes,
then the bytes. The tensors follow the JSON part of a body, whose length a header gives.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_binary_data.md
"""

from math import prod
from struct import pack, unpack_from

from coldpress.errors import InvalidRequest
from coldpress.protocols.inference import Inference
from coldpress.protocols.oip.inference import LENGTH_HEADER
from coldpress.protocols.values import check_lengths, count_of, datatype_of
from coldpress.registry import Manifest
from coldpress.settings import Settings
from coldpress.tensors import DATATYPES, Tensor
from coldpress.typed import Any


def split(body: bytes, header: str) -> tuple[bytes, memoryview]:
    """A body's JSON part and the binary data behind it. Raises `InvalidRequest`."""
    # Short enough for int(): it refuses thousands of digits with an error of its own.
    length = int(header) if header.isascii() and header.isdigit() and len(header) < 20 else -1
    if not 0 <= length <= len(body):
        raise InvalidRequest(
            f"{LENGTH_HEADER} must be the length of the JSON part, from 0 to the body's {len(body)} bytes; "
            f"got {header!r:.40}"
        )
    return body[:length], memoryview(body)[length:]


MAX_HEADS = 64
"""JSON parts kept; a client sends the same one again and again, only the data behind it is new."""
MAX_HEAD = 2048
"""Bytes of one."""

_heads: dict[
    bytes, tuple[Settings, Manifest, Inference, int, list[tuple[str, str, tuple[int, ...], int, int]]]
] = {}


def known(text: bytes, data: memoryview, manifest: Manifest, settings: Settings) -> Inference | None:
    """The request with this JSON part, if one was read before; None: it, or its data, must be looked at."""
    kept = _heads.get(text)
    if kept is None:
        return None
    checked_by, checked_for, inference, size, places = kept
    if size != len(data) or checked_by is not settings or checked_for is not manifest:
        return None
    tensors = [Tensor(name, datatype, shape, data[at:end]) for name, datatype, shape, at, end in places]
    return Inference(tensors, inference.outputs, inference.form)


def keep(text: bytes, inference: Inference, size: int, manifest: Manifest, settings: Settings) -> None:
    """Remembers what a JSON part says whose inputs all are numbers behind it, `size` bytes together."""
    places, at = [], 0
    for tensor in inference.tensors:
        if isinstance(tensor.data, list):
            return
        end = at + memoryview(tensor.data).nbytes
        places.append((tensor.name, tensor.datatype, tensor.shape, at, end))
        at = end
    # Numbers in the JSON part itself have their bytes there, and not behind it.
    if at == size and size and len(text) <= MAX_HEAD:
        if len(_heads) >= MAX_HEADS:
            _heads.clear()
        blank = inference._replace(tensors=[])
        _heads[text] = settings, manifest, blank, size, places


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
                f"input {name!r}: binary_data_size is {size!r:.40} bytes, but the body has {left} left"
            )
        self._at += size
        return self._data[self._at - size : self._at]

    def finish(self) -> None:
        """Raises `InvalidRequest` when bytes are left over."""
        left = len(self._data) - self._at
        if left:
            raise InvalidRequest(
                f"the body has {left} bytes more than the inputs' binary_data_size add up to, "
                f"which is {self._at}"
            )


def unpack(name: str, datatype: str, shape: list[int], data: memoryview, settings: Settings) -> Tensor:
    """A tensor over `data`, without a copy of numbers. Raises `InvalidRequest`, `TooLarge`."""
    known = datatype_of(name, datatype)
    count = count_of(name, shape, settings)
    if known.name == "BYTES":
        elements = strings(name, count, bytes(data))
        check_lengths(name, elements, settings)
        return Tensor(name, datatype, shape, elements)
    expected = count * known.size
    if len(data) != expected:
        raise InvalidRequest(
            f"input {name!r}: {datatype} of shape {shape!r:.80} needs {expected} bytes, but {len(data)} came"
        )
    return Tensor(name, datatype, shape, data)


def strings(name: str, count: int, data: bytes) -> list[bytes]:
    """The elements of a BYTES tensor. Raises `InvalidRequest`."""
    elements: list[bytes] = []
    at, end = 0, len(data)
    for index in range(count):
        start = at + 4
        if start > end:
            raise InvalidRequest(
                f"input {name!r}: {count} elements were expected, the data ends after {index}"
            )
        at = start + int(unpack_from("<I", data, at)[0])
        if at > end:
            raise InvalidRequest(
                f"input {name!r}: element {index} claims {at - start} bytes, only {end - start} are left"
            )
        elements.append(data[start:at])
    if at != end:
        raise InvalidRequest(f"input {name!r}: {end - at} bytes are left over after {count} elements")
    return elements


def raw_input(manifest: Manifest, data: memoryview, settings: Settings) -> Tensor:
    """The whole body as the model's only input, for a header of 0.

    At most one dimension may be variable; its length follows from the body's. A BYTES input is one
    element, without a length in front.

    Raises:
        InvalidRequest: several inputs, several variable dimensions, or a body of another length.
        TooLarge: too many elements, or too long a string.
    """
    if len(manifest.inputs) != 1:
        raise InvalidRequest(
            f"a raw body needs a model with one input; {manifest.model} has {len(manifest.inputs)}"
        )
    info = manifest.inputs[0]
    shape = list(info.shape)
    if info.datatype == "BYTES":
        shape = [1 if length < 0 else length for length in shape]
        if prod(shape) != 1:
            raise InvalidRequest(
                f"a raw body is one BYTES element; input {info.name!r} has the shape {list(info.shape)}"
            )
        element = bytes(data)
        check_lengths(info.name, [element], settings)
        return Tensor(info.name, info.datatype, shape, [element])
    variable = [axis for axis, length in enumerate(shape) if length < 0]
    if len(variable) > 1:
        raise InvalidRequest(
            f"a raw body cannot tell the shape of {info.name!r}: {list(info.shape)} varies twice"
        )
    if variable:
        step = DATATYPES[info.datatype].size * prod(length for length in shape if length >= 0)
        if len(data) % step if step else len(data):
            raise InvalidRequest(
                f"input {info.name!r} takes a multiple of {step} bytes, the body has {len(data)}"
            )
        shape[variable[0]] = len(data) // step if step else 0
    return unpack(info.name, info.datatype, shape, data, settings)


def to_bytes(tensor: Tensor) -> bytes | memoryview:
    """A tensor's data as it goes behind the JSON part."""
    if not isinstance(tensor.data, list):
        return memoryview(tensor.data).cast("B")
    return b"".join([part for element in tensor.data for part in (pack("<I", len(element)), element)])

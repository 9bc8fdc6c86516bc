"""Protobuf's wire format, read in place: tags, varints and lengths; nothing is copied.

Source of the format: https://protobuf.dev/programming-guides/encoding/
"""

from collections.abc import Iterator
from mmap import mmap

VARINT, FIXED64, LENGTH, FIXED32 = 0, 1, 2, 5
MAX_VARINT_BYTES = 10
MASK64 = (1 << 64) - 1


Bytes = bytes | mmap
"""What is scanned; a file is mapped into memory."""


class Broken(Exception):
    """Not in the wire format. `at` is the byte it was noticed at; `end` the byte a field should reach."""

    def __init__(self, at: int, end: int = 0) -> None:
        super().__init__(at, end)
        self.at = at
        self.end = end


def fields(data: Bytes, start: int, end: int) -> Iterator[tuple[int, int, int, int]]:
    """The fields of the message in `data[start:end]`, in order.

    Yields:
        (field number, wire type, a, b): a varint's unsigned value is `a`; any other field's payload is
        `data[a:b]`.

    Raises:
        Broken: the bytes are no message, or the message runs over `end`.
    """
    at = start
    while at < end:
        tag, at = varint(data, at, end)
        number, wire = tag >> 3, tag & 7
        if not 0 < number < 1 << 29:
            raise Broken(at)
        if wire == VARINT:
            value, at = varint(data, at, end)
            yield number, wire, value, at
            continue
        if wire == LENGTH:
            size, at = varint(data, at, end)
        elif wire in (FIXED32, FIXED64):
            size = 4 if wire == FIXED32 else 8
        else:
            raise Broken(at)
        if size > end - at:
            raise Broken(at, at + size)
        yield number, wire, at, at + size
        at += size


def varint(data: Bytes, at: int, end: int) -> tuple[int, int]:
    """An unsigned 64-bit varint at `at`, and the position behind it. Raises `Broken`."""
    value = 0
    for count in range(MAX_VARINT_BYTES):
        if at >= end:
            raise Broken(at, at + 1)
        byte = data[at]
        at += 1
        value |= (byte & 0x7F) << (7 * count)
        if byte < 0x80:
            return value & MASK64, at
    raise Broken(at)

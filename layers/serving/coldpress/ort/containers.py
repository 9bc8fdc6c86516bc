"""Outputs that are no tensors, answered as tensors.

- a sequence of tensors `s`: `s.0`, `s.1`, … in order; an empty one answers nothing
- a map `m`: its values as `m` [n] and its keys as `m.keys` [n]
- a sequence of maps `p` (ZipMap): the values as `p` [rows, n] and the keys as `p.keys` [n], each row in the
  order of the keys; the maps must have the same keys, as ZipMap's always have
- an optional that is absent: nothing; one that is present: as what it holds
"""

from __future__ import annotations

from ctypes import byref, c_int, c_size_t, c_void_p

from coldpress.errors import Unsupported
from coldpress.ort.typeinfo import KINDS, MAP, SEQUENCE, TENSOR
from coldpress.ort.values import Value, read_tensor
from coldpress.tensors import Tensor

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coldpress.ort.library import Library
    from coldpress.ort.values import Inputs


def read_any(library: Library, inputs: Inputs, name: str, value: Value) -> list[Tensor]:
    """The tensors that answer for an OrtValue of any type.

    Raises:
        Unsupported: a sparse or opaque value, nested containers, or maps with different keys.
    """
    present, kind = c_int(), c_int()
    library.api.HasValue(value.pointer, byref(present))
    if not present.value:
        return []
    library.api.GetValueType(value.pointer, byref(kind))
    if kind.value == TENSOR:
        return [read_tensor(library, inputs, name, value)]
    if kind.value == MAP:
        keys, values = _read_map(library, inputs, name, value)
        return [values, keys]
    if kind.value == SEQUENCE:
        return _read_sequence(library, inputs, name, value)
    raise Unsupported(
        f"output {name!r} is {KINDS.get(kind.value, 'unknown')}, which has no form in the protocol"
    )


def _element(library: Library, value: Value, index: int) -> Value:
    element = c_void_p()
    library.api.GetValue(value.pointer, index, library.allocator, byref(element))
    # `keep`: a tensor taken from a sequence may share the sequence's memory.
    return Value(library.api, element.value or 0, value)


def _read_map(library: Library, inputs: Inputs, name: str, value: Value) -> tuple[Tensor, Tensor]:
    return (
        read_tensor(library, inputs, f"{name}.keys", _element(library, value, 0)),
        read_tensor(library, inputs, name, _element(library, value, 1)),
    )


def _read_sequence(library: Library, inputs: Inputs, name: str, value: Value) -> list[Tensor]:
    count, kind = c_size_t(), c_int()
    library.api.GetValueCount(value.pointer, byref(count))
    elements = [_element(library, value, index) for index in range(count.value)]
    if not elements:
        return []
    library.api.GetValueType(elements[0].pointer, byref(kind))
    if kind.value == TENSOR:
        return [read_tensor(library, inputs, f"{name}.{i}", element) for i, element in enumerate(elements)]
    if kind.value != MAP:
        raise Unsupported(
            f"output {name!r} is a sequence of {KINDS.get(kind.value, 'unknown')}s; flatten it in the graph"
        )
    maps = [_read_map(library, inputs, name, element) for element in elements]
    keys = maps[0][0]
    if any(row_keys.data != keys.data for row_keys, _ in maps):
        raise Unsupported(
            f"output {name!r} is a sequence of maps with different keys; answer a tensor instead"
        )
    return [_stack(name, [values for _, values in maps]), keys]


def _stack(name: str, rows: list[Tensor]) -> Tensor:
    shape = (len(rows), *rows[0].shape)
    if rows[0].datatype == "BYTES":
        return Tensor(name, "BYTES", shape, [string for row in rows for string in row.data])  # type: ignore[union-attr]
    return Tensor(name, rows[0].datatype, shape, b"".join(row.data for row in rows))  # type: ignore[misc]

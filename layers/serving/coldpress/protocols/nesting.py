"""Nested JSON lists <-> a shape and flat, row-major values."""

from collections.abc import Sequence
from itertools import chain

from coldpress.errors import InvalidRequest
from coldpress.typed import Any


def rectangle(value: Any, name: str, max_depth: int) -> tuple[list[int], list[Any]]:
    """The shape and the flat values of nested lists; a bare value has the shape [].

    Where the first value of the innermost level is no list, none of them should be: whoever knows the
    datatype finds out in its own pass over the values.

    Raises:
        InvalidRequest: lists of different lengths or lists beside values on one level, or deeper
            than `max_depth`.
    """
    shape: list[int] = []
    level = [value]
    while level and isinstance(level[0], list):
        if set(map(type, level)) != {list}:
            raise InvalidRequest(f"input {name!r} mixes lists and values on one level")
        lengths = set(map(len, level))
        if len(lengths) > 1:
            raise InvalidRequest(
                f"input {name!r} is ragged: lists of {min(lengths)} and of {max(lengths)} side by side"
            )
        shape.append(lengths.pop())
        if len(shape) > max_depth:
            raise InvalidRequest(f"input {name!r} is nested deeper than {max_depth} levels")
        level = level[0] if len(level) == 1 else list(chain.from_iterable(level))
    return shape, level


def flat_of(data: Any, shape: list[int], name: str, max_depth: int) -> list[Any]:
    """The values of data that may be flat, or nested as `shape` says (dimensions of one aside).

    Raises:
        InvalidRequest: nested in another way: its values are then not in the order that `shape` promises.
    """
    if type(data) is list and data and type(data[0]) is not list:
        return data  # flat, as most are; a list further on is found by whoever knows the datatype
    nested, values = rectangle(data, name, max_depth)
    if len(nested) > 1 and values and [n for n in nested if n != 1] != [n for n in shape if n != 1]:
        raise InvalidRequest(f"input {name!r}: data is nested as {nested}, but shape is {shape!r:.80}")
    return values


def nest(values: list[Any], shape: Sequence[int]) -> Any:
    """Flat values as nested lists of `shape`; the shape [] gives the bare value."""
    if not shape:
        return values[0]
    # From the inside out: one pass of slices for each level.
    for length in reversed(shape[1:]):
        if length == 0:
            return _empty(shape)
        values = [values[at : at + length] for at in range(0, len(values), length)]
    return values


def _empty(shape: Sequence[int]) -> list[Any]:
    """Nested lists that hold no value, for a shape with a zero behind its first dimension."""
    return [_empty(shape[1:]) for _ in range(shape[0])] if len(shape) > 1 else []

"""Nested JSON lists <-> a shape and flat, row-major values."""

import math
from collections.abc import Sequence
from typing import Any

from coldpress.errors import InvalidRequest


def rectangle(value: Any, name: str, max_depth: int) -> tuple[list[int], list[Any]]:
    """The shape and the flat values of nested lists; a bare value has the shape [].

    Raises:
        InvalidRequest: lists of different lengths or lists beside values on one level, or deeper
            than `max_depth`.
    """
    shape: list[int] = []
    level = [value]
    while level and isinstance(level[0], list):
        if not all(isinstance(item, list) for item in level):
            raise InvalidRequest(f"input {name!r} mixes lists and values on one level")
        lengths = set(map(len, level))
        if len(lengths) > 1:
            raise InvalidRequest(
                f"input {name!r} is ragged: lists of {min(lengths)} and of {max(lengths)} side by side"
            )
        shape.append(lengths.pop())
        if len(shape) > max_depth:
            raise InvalidRequest(f"input {name!r} is nested deeper than {max_depth} levels")
        level = [item for inner in level for item in inner]
    if any(isinstance(item, list) for item in level):
        raise InvalidRequest(f"input {name!r} mixes lists and values on one level")
    return shape, level


def nest(values: list[Any], shape: Sequence[int]) -> Any:
    """Flat values as nested lists of `shape`; the shape [] gives the bare value."""
    if not shape:
        return values[0]
    if len(shape) == 1:
        return values
    step = math.prod(shape[1:])
    return [nest(values[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]

"""Inputs of a kind that was read before: of the same name, datatype and shape, with flat data.

All that is said of them but the numbers has been checked then. What is not exactly of such a kind is left to
the code that reads anything, and says what is wrong with it.
"""

import struct

from coldpress.settings import Settings
from coldpress.tensors import DATATYPES, Tensor, element_count
from coldpress.typed import Any

MAX_KINDS = 64
MAX_VALUES = 4096
"""Beyond it the check of the rest is no longer what takes the time."""

_INT = frozenset({int})
_NUMBERS = frozenset({int, float})
_FLOATS = {"FP16": "e", "FP32": "f", "FP64": "d"}

_kinds: dict[tuple[Any, ...], tuple[Settings, tuple[int, ...], frozenset[type], struct.Struct]] = {}


def tensor_of(row: Any, settings: Settings) -> Tensor | None:
    """The tensor of an input as JSON has it; None: it is of no known kind, or wrong."""
    try:
        name, datatype, shape, data = row["name"], row["datatype"], row["shape"], row["data"]
        checked_by, sizes, types, packer = _kinds[name, datatype, *shape]
        # `True` is as good a key as 1.
        if (
            len(row) == 4
            and checked_by is settings
            and _INT.issuperset(map(type, shape))
            and types.issuperset(map(type, data))
        ):
            return Tensor(name, datatype, sizes, packer.pack(*data))
    except (KeyError, TypeError, OverflowError, struct.error):
        return None  # another kind, or not as many numbers, or one that does not fit
    return None


def keep(tensor: Tensor, settings: Settings) -> None:
    """Remembers the kind of a tensor whose data came flat."""
    code = _FLOATS.get(tensor.datatype) or DATATYPES[tensor.datatype].typecode
    count = element_count(tensor.shape)
    if not code or tensor.datatype == "BOOL" or not 0 < count <= MAX_VALUES:
        return
    if len(_kinds) >= MAX_KINDS:
        _kinds.clear()
    types = _NUMBERS if tensor.datatype in _FLOATS else _INT
    packer = struct.Struct(f"<{count}{code}")
    _kinds[tensor.name, tensor.datatype, *tensor.shape] = settings, tensor.shape, types, packer

"""How far one model's answer is from another's."""

import operator
import struct
from collections.abc import Iterable, Sequence

from coldpress.tensors import DATATYPES, Tensor
from coldpress.typed import Any, NamedTuple


class Agreement(NamedTuple):
    """`share`: of the rows whose answer is the same one, 0 to 1. `difference`: the largest of a number.

    Outputs with as many rows as each other answer together; of several such groups the worst one counts.
    The answer of a row is its strings, whole numbers and booleans, and the place of the largest number where
    an output has several floats a row. `difference` is None when no output holds floats, or their shapes
    differ; it is infinite where one of two numbers is not finite and the other is another.
    """

    share: float
    difference: float | None


def compare(one: Sequence[Tensor], other: Sequence[Tensor]) -> Agreement:
    """Two models' outputs for the same request. An output that only one of them has counts as different."""
    others = {tensor.name: tensor for tensor in other}
    if {tensor.name for tensor in one} != set(others):
        return Agreement(0.0, None)
    differences: list[float] = []
    same: dict[int, list[bool]] = {}
    for mine in one:
        theirs = others[mine.name]
        if mine.datatype != theirs.datatype or mine.shape != theirs.shape:
            return Agreement(0.0, None)
        values, others_values = _values(mine), _values(theirs)
        if mine.datatype in ("FP16", "BF16", "FP32", "FP64"):
            differences.append(_difference(values, others_values))
        rows = list(map(operator.eq, _classes(mine, values), _classes(theirs, others_values)))
        count = len(rows)
        same[count] = list(map(operator.and_, same.get(count, rows), rows))
    share = min((sum(rows) / count for count, rows in same.items() if count), default=1.0)
    return Agreement(share, max(differences, default=None))


def _difference(one: Sequence[float], other: Sequence[float]) -> float:
    worst = 0.0
    for mine, theirs in zip(one, other, strict=True):
        if mine != theirs and not (mine != mine and theirs != theirs):  # two NaNs are one answer
            difference = abs(mine - theirs)
            worst = max(worst, difference if difference == difference else float("inf"))
    return worst


def _classes(tensor: Tensor, values: Sequence[Any]) -> Iterable[Any]:
    """What each row answers; nothing to be compared where a row is one float."""
    rows = tensor.shape[0] if tensor.shape else 1
    width = len(values) // rows if rows else 0
    parts = (values[row * width : (row + 1) * width] for row in range(rows))
    if tensor.datatype not in ("FP16", "BF16", "FP32", "FP64"):
        return [list(part) for part in parts]
    if width < 2:
        return [0] * rows
    return [max(range(width), key=part.__getitem__) for part in parts]


def _values(tensor: Tensor) -> Sequence[Any]:
    if isinstance(tensor.data, list):
        return tensor.data
    data = memoryview(tensor.data).cast("B")
    typecode = DATATYPES[tensor.datatype].typecode
    if typecode:
        return data.cast(typecode)  # type: ignore[call-overload, no-any-return]
    count = len(data) // 2
    if tensor.datatype == "FP16":
        return struct.unpack(f"<{count}e", data)
    # BF16 is the upper half of an FP32.
    return struct.unpack(f"<{count}f", b"".join(b"\0\0" + data[i : i + 2] for i in range(0, len(data), 2)))

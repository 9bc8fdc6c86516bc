"""The `classification` output parameter: the k highest values as `value:index[:label]`.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_classification.md
"""

from coldpress.errors import InvalidRequest
from coldpress.tensors import DATATYPES, Tensor
from coldpress.typed import Any

_REFUSED = frozenset({"FP16", "BF16", "BOOL", "BYTES"})


def top(tensor: Tensor, k: Any, labels: tuple[str, ...]) -> Tensor:
    """The `k` highest values of each row, best first; of equal values the lower index first, NaN last.

    Values are printed as C's `%f`, whole numbers to the last digit. The labels are used where there is one
    for each value. The shape is [batch, k], or [k] without a batch.

    Raises:
        InvalidRequest: `k` below 1, or a datatype that has no order here.
    """
    if type(k) is not int or k < 1:
        raise InvalidRequest(
            f"output {tensor.name!r}: classification must be a whole number from 1, not {k!r:.40}"
        )
    if tensor.datatype in _REFUSED:
        raise InvalidRequest(f"output {tensor.name!r}: {tensor.datatype} cannot be classified")
    values = memoryview(tensor.data).cast("B").cast(DATATYPES[tensor.datatype].typecode)  # type: ignore[arg-type, call-overload]
    form = "%f:%d" if tensor.datatype.startswith("FP") else "%d.000000:%d"
    batch = tensor.shape[0] if len(tensor.shape) > 1 else 1
    classes = len(values) // batch if batch else 0
    k = min(k, classes)
    names = [f":{label}" for label in labels] if len(labels) == classes else [""] * classes
    elements: list[bytes] = []
    for row in range(batch):
        scores = values[row * classes : (row + 1) * classes].tolist()
        for index in _order(scores)[:k]:
            elements.append((form % (scores[index], index) + names[index]).encode())
    return Tensor(tensor.name, "BYTES", (batch, k) if len(tensor.shape) > 1 else (k,), elements)


def _order(scores: list[Any]) -> list[int]:
    """The indices, highest score first; a stable sort keeps the lower of equals first."""
    return sorted(range(len(scores)), key=lambda at: (scores[at] == scores[at], scores[at]), reverse=True)

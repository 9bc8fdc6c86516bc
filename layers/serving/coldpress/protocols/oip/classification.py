"""The `classification` output parameter: the k highest values as `value:index[:label]`.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_classification.md
"""

from coldpress.errors import InvalidRequest
from coldpress.tensors import DATATYPES, Tensor

_REFUSED = frozenset({"FP16", "BF16", "BOOL", "BYTES"})


def top(tensor: Tensor, k: int, labels: tuple[str, ...]) -> Tensor:
    """The `k` highest values of each row, best first; of equal values the lower index first.

    Values are printed as C's `%f`, as Triton does. The shape is [batch, k], or [k] without a batch.

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
    batch = tensor.shape[0] if len(tensor.shape) > 1 else 1
    classes = len(values) // batch if batch else 0
    k = min(k, classes)
    elements: list[bytes] = []
    for row in range(batch):
        scores = values[row * classes : (row + 1) * classes].tolist()
        best = sorted(range(classes), key=lambda index: (-scores[index], index))[:k]
        elements += [_text(scores[index], index, labels) for index in best]
    shape = (batch, k) if len(tensor.shape) > 1 else (k,)
    return Tensor(tensor.name, "BYTES", shape, elements)


def _text(value: float, index: int, labels: tuple[str, ...]) -> bytes:
    label = f":{labels[index]}" if index < len(labels) else ""
    return f"{value:f}:{index}{label}".encode()

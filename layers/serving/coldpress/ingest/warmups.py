"""Requests to try a model with, made from what it declares of its inputs."""

import random
from array import array
from collections.abc import Iterator, Sequence
from itertools import product
from typing import TYPE_CHECKING, Any

from coldpress.tensors import DATATYPES, Tensor, element_count

if TYPE_CHECKING:
    from coldpress.ort import TensorSpec

SIZES = (1, 2, 8, 16, 32, 64, 224)
"""What variable dimensions are tried as, smallest first."""
RANKS = (1, 2, 3, 4, 0)
"""Numbers of dimensions tried where a model declares none."""
MAX_ELEMENTS = 1 << 22
BLOCK = 1021


def candidates(specs: Sequence["TensorSpec"]) -> Iterator[dict[str, Any]]:
    """Warm-up requests of zeros, most likely first; one only when every dimension is fixed.

    All variable dimensions get the same size, but the batch (the first one, and those of its name) is
    also tried as 1 beside larger ones.
    """
    batch = {spec.dimensions[0] for spec in specs if spec.dimensions and spec.dimensions[0]}
    ranks = RANKS if any(not spec.ranked for spec in specs) else (0,)
    seen = set()
    for size, rank in product(SIZES, ranks):
        for rows in (1, size):
            shapes = tuple(_shape(spec, batch, rows, size, rank) for spec in specs)
            if shapes in seen or any(element_count(shape) > MAX_ELEMENTS for shape in shapes):
                continue
            seen.add(shapes)
            yield {
                "inputs": [
                    {"name": spec.name, "shape": list(shape), "datatype": spec.datatype}
                    for spec, shape in zip(specs, shapes, strict=True)
                ]
            }


def is_variable(specs: Sequence["TensorSpec"]) -> bool:
    """Whether some input has a dimension that a request may choose."""
    return any(not spec.ranked or -1 in spec.shape for spec in specs)


def noise(tensors: Sequence[Tensor]) -> list[Tensor]:
    """Tensors of the same shapes with other values, the same ones every time.

    Zeros hide most differences between two forms of a model: they leave only its biases.
    """
    generator = random.Random(0)  # noqa: S311 - repeatable, not secret
    return [
        Tensor(tensor.name, tensor.datatype, tensor.shape, _noise(generator, tensor)) for tensor in tensors
    ]


def _shape(spec: "TensorSpec", batch: set[str], rows: int, size: int, rank: int) -> tuple[int, ...]:
    if not spec.ranked:
        return (rows, *[size] * (rank - 1)) if rank else ()
    return tuple(
        length if length >= 0 else rows if at == 0 or name in batch else size
        for at, (length, name) in enumerate(zip(spec.shape, spec.dimensions, strict=True))
    )


def _noise(generator: random.Random, tensor: Tensor) -> Any:
    count = element_count(tensor.shape)
    known = DATATYPES[tensor.datatype]
    if known.name == "BYTES":
        return [generator.choice((b"a", b"good", b"Bad food!", b"")) for _ in range(count)]
    if known.name in ("FP32", "FP64"):
        block = array(known.typecode, [generator.uniform(-1, 1) for _ in range(BLOCK)]).tobytes()
    elif known.name in ("FP16", "BF16"):
        # Below 0x3800 every pattern is a small positive number in either format.
        block = array("H", [generator.randrange(0x3800) for _ in range(BLOCK)]).tobytes()
    else:
        # Whole numbers are mostly indices: small ones are in every range.
        one = (1).to_bytes(known.size, "little")
        block = b"".join(generator.choice((one, bytes(known.size))) for _ in range(BLOCK))
    size = count * known.size
    return (block * (size // len(block) + 1))[:size]

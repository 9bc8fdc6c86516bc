"""What a model declares of its inputs and outputs, and the check of given inputs against it."""

from __future__ import annotations

from coldpress.errors import InvalidRequest, Unsupported
from coldpress.tensors import DATATYPES, check

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import Final

    from coldpress.tensors import Tensor


class TensorSpec:
    """One declared input or output.

    `shape` has -1 where a dimension varies and `dimensions` its symbolic name there ("" none). `ranked` is
    False when the model does not even say how many dimensions there are; `shape` is then empty.
    `kind` is "tensor"; "sequence" (of tensors), "maps" (a sequence of maps, as ZipMap makes) or "map", where
    `datatype` is that of the elements or values and `keys` that of the keys; "optional" (something or
    nothing); "sparse", "opaque" or "unknown", which cannot be answered.
    """

    __slots__ = ("datatype", "dimensions", "keys", "kind", "name", "ranked", "shape")

    name: Final[str]
    datatype: Final[str]
    shape: Final[tuple[int, ...]]
    dimensions: Final[tuple[str, ...]]
    kind: Final[str]
    keys: Final[str]
    ranked: Final[bool]

    def __init__(
        self,
        name: str,
        datatype: str,
        shape: tuple[int, ...] = (),
        dimensions: tuple[str, ...] = (),
        kind: str = "tensor",
        keys: str = "",
        ranked: bool = True,
    ) -> None:
        self.name = name
        self.datatype = datatype
        self.shape = shape
        self.dimensions = dimensions or ("",) * len(shape)
        self.kind = kind
        self.keys = keys
        self.ranked = ranked

    def __repr__(self) -> str:
        return f"TensorSpec({self.name!r}, {self.datatype}, {list(self.shape)}, {self.kind})"

    def answered(self) -> tuple[TensorSpec, ...]:
        """The tensors a client gets for this output, by the rule of `containers`. `.*` stands for 0, 1, …"""
        if self.kind == "sequence":
            return (
                TensorSpec(f"{self.name}.*", self.datatype, self.shape, self.dimensions, ranked=self.ranked),
            )
        if self.kind in ("map", "maps"):
            rows = (-1,) if self.kind == "maps" else ()
            return (
                TensorSpec(self.name, self.datatype, (*rows, -1)),
                TensorSpec(f"{self.name}.keys", self.keys, (-1,)),
            )
        return (self,)


def match(specs: Sequence[TensorSpec], tensors: Iterable[Tensor]) -> list[Tensor]:
    """The given tensors in the declared order, each one checked.

    Raises:
        InvalidRequest: an unknown, repeated or missing name, or a tensor that is not what is declared.
        Unsupported: the model wants something that is no tensor of the table.
    """
    given: dict[str, Tensor] = {}
    for tensor in tensors:
        if tensor.name in given:
            raise InvalidRequest(f"input {tensor.name!r} came twice")
        given[tensor.name] = tensor
    # First, because a misspelt name is missing too, and the misspelling is what helps.
    for name in given.keys() - {spec.name for spec in specs}:
        raise InvalidRequest(f"no input {name!r}; the model's inputs are {names_of(specs)}")
    ordered = []
    for spec in specs:
        found = given.pop(spec.name, None)
        if found is None:
            raise InvalidRequest(
                f"input {spec.name!r} is missing: {spec.datatype} of shape {list(spec.shape)}"
            )
        _check_declared(spec, found)
        ordered.append(found)
    return ordered


def names_of(specs: Iterable[TensorSpec]) -> str:
    """The names, for a message."""
    return ", ".join(repr(spec.name) for spec in specs) or "none"


def _check_declared(spec: TensorSpec, tensor: Tensor) -> None:
    if spec.kind not in ("tensor", "optional") or spec.datatype not in DATATYPES:
        raise Unsupported(
            f"input {spec.name!r} is a {spec.kind} of {spec.datatype or 'unknown type'}; only tensors of "
            f"{', '.join(DATATYPES)} can be sent"
        )
    check(tensor)
    if tensor.datatype != spec.datatype:
        raise InvalidRequest(f"input {spec.name!r} is {spec.datatype}, but {tensor.datatype} came")
    if not spec.ranked:
        return
    shape, declared = tensor.shape, spec.shape
    if len(shape) != len(declared):
        raise InvalidRequest(
            f"input {spec.name!r} has {len(declared)} dimensions {list(declared)}, but {list(shape)} came"
        )
    for size, wanted in zip(shape, declared, strict=True):
        if wanted not in (-1, size):
            raise InvalidRequest(
                f"input {spec.name!r} has shape {list(declared)} (-1 is variable), but {list(shape)} came"
            )

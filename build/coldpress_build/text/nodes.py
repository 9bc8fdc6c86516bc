"""Building an ONNX graph one node at a time, by what the node is for."""

from typing import Any

import onnx
from onnx import TensorProto, helper

MACHINE_LEARNING = "ai.onnx.ml"


class Nodes:
    """Nodes and constants in order; each method adds one and answers the name of its result."""

    def __init__(self, prefix: str) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self._prefix = prefix
        self._named: dict[tuple[str, object], str] = {}

    def add(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """One node; further outputs than the first are left unnamed, so they are not computed for anybody."""
        name = f"{self._prefix}/{operator}_{len(self.nodes)}"
        domain = MACHINE_LEARNING if operator == "LabelEncoder" else ""
        outputs = [name, f"{name}_counts"] if operator == "StringSplit" else [name]
        self.nodes.append(
            helper.make_node(operator, list(inputs), outputs, name, domain=domain, **attributes)
        )
        return name

    def text(self, value: str) -> str:
        """A string constant of no dimensions."""
        return self._constant(TensorProto.STRING, [], [value.encode()])

    def number(self, value: int) -> str:
        """An int64 constant of no dimensions."""
        return self._constant(TensorProto.INT64, [], [value])

    def numbers(self, *values: int) -> str:
        """An int64 constant of one dimension."""
        return self._constant(TensorProto.INT64, [len(values)], list(values))

    def texts(self, *values: str) -> str:
        """A string constant of one dimension."""
        return self._constant(TensorProto.STRING, [len(values)], [value.encode() for value in values])

    def _constant(self, kind: int, shape: list[int], values: Any) -> str:
        key = (f"{kind}{shape}", tuple(values))
        if key not in self._named:
            name = self._named[key] = f"{self._prefix}/constant_{len(self.constants)}"
            self.constants.append(helper.make_tensor(name, kind, shape, values))
        return self._named[key]

    def concat(self, left: str, right: str) -> str:
        """Each string of `left` with the one of `right` after it (broadcast)."""
        return self.add("StringConcat", left, right)

    def split(self, texts: str, mark: str, times: int) -> str:
        """Splits at the first `times` marks into a new last dimension, filled up with empty strings.

        An empty `mark` splits at runs of spaces. ONNX Runtime takes the space alone for that, no tab and no
        line break.
        """
        return self.add("StringSplit", texts, delimiter=mark, maxsplit=times)

    def gather(self, tensor: str, index: int, *, axis: int) -> str:
        """What stands at `index` of `axis`, which disappears."""
        return self.add("Gather", tensor, self.number(index), axis=axis)

    def rows(self, tensor: str) -> str:
        """Two dimensions: the first as it is, the others made one."""
        return self.add("Reshape", tensor, self.numbers(0, -1))

    def first(self, tensor: str, count: int) -> str:
        """At most the first `count` of the second dimension."""
        return self.add("Slice", tensor, self.numbers(0), self.numbers(count), self.numbers(1))

"""Columns of a table as a network takes them, and the same in the ONNX graph: from named columns to numbers.

Each column is an input of its own: numbers FP32 [batch] (or [batch, n]), true or false BOOL [batch],
category names BYTES [batch]. A missing number is NaN. What is learned from the training part (the middle and
the spread of each number, the names of each category) is inside the network or the graph.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper
from torch import Tensor

from coldpress_build.data.dataset import Array, Dataset
from coldpress_build.errors import DataError
from coldpress_build.export import OUTPUTS, Port, served_graph
from coldpress_build.text.nodes import Nodes

NUMBERS, CODES = "features/numbers", "features/codes"
UNKNOWN = 0
"""The code of a category that the training part does not have (or has too seldom)."""


@dataclass(frozen=True)
class Features:
    """`numbers` are the columns of numbers, with how many a row has; `categories` the names with codes."""

    numbers: Mapping[str, int]
    categories: Mapping[str, tuple[str, ...]]
    medians: Array
    means: Array
    spreads: Array
    gaps: tuple[int, ...]
    """Which of the numbers are missing now and then."""

    @classmethod
    def learn(cls, train: Dataset, min_count: int) -> "Features":
        """Raises `DataError` for a column that cannot be an input, or has no number at all."""
        for name in train.columns:
            if name in OUTPUTS or not name or "/" in name:
                raise DataError(f"{train.name}: {name!r} cannot be the name of an input; rename the column")
        categories, numbers = {}, {}
        for name, column in train.columns.items():
            if column.dtype == object:
                counts = Counter(column.tolist())
                categories[name] = tuple(sorted(value for value, n in counts.items() if n >= min_count))
            else:
                numbers[name] = 1 if column.ndim == 1 else column.shape[1]
        matrix = _matrix(train, numbers).astype(np.float64)
        missing = np.isnan(matrix)
        if missing.all(0).any():
            raise DataError(
                f"{train.name}: a column of numbers is missing in every training row; leave it out"
            )
        medians = np.nanmedian(matrix, axis=0) if numbers else np.zeros(0)
        filled = np.where(missing, medians, matrix)
        spreads = filled.std(0)
        return cls(
            numbers,
            categories,
            medians.astype(np.float32),
            filled.mean(0).astype(np.float32),
            # A column that never changes becomes 0, not infinite.
            np.where(spreads > 0, spreads, 1.0).astype(np.float32),
            tuple(np.flatnonzero(missing.any(0)).tolist()),
        )

    def tensors(self, data: Dataset) -> tuple[Tensor, ...]:
        """Numbers float32 [rows, n] as they came, and codes int64 [rows, categories]; only what there is."""
        found = []
        if self.numbers:
            found.append(torch.from_numpy(_matrix(data, self.numbers)))
        if self.categories:
            found.append(torch.from_numpy(np.stack([self._codes(data, name) for name in self.categories], 1)))
        return tuple(found)

    def _codes(self, data: Dataset, name: str) -> Array:
        codes = {value: code for code, value in enumerate(self.categories[name], UNKNOWN + 1)}
        return np.array([codes.get(value, UNKNOWN) for value in data.columns[name].tolist()], np.int64)

    def table(self, data: Dataset) -> Mapping[str, Array]:
        """The columns themselves."""
        return data.columns

    def warm_up(self, data: Dataset) -> Mapping[str, Array]:
        """Two rows of the usual: the medians, and a category that is known."""
        found, start = {}, 0
        for name, column in data.columns.items():
            if column.dtype == object:
                found[name] = np.array([*self.categories[name][:1], "", ""][:2], object)
            else:
                width = self.numbers[name]
                usual = self.medians[start : start + width]
                start += width
                found[name] = np.stack([usual, usual]).reshape(2, *column.shape[1:]).astype(column.dtype)
        return found

    def graph(
        self,
        network: torch.nn.Module,
        data: Dataset,
        name: str,
        shift: float = 0.0,
        factor: float = 1.0,
    ) -> onnx.ModelProto:
        """The columns of `data` by name -> `label` and `scores`, or `value`."""
        ports = []
        if self.numbers:
            ports.append(Port(NUMBERS, torch.zeros(2, len(self.medians)), ("batch", "")))
        if self.categories:
            codes = torch.zeros(2, len(self.categories), dtype=torch.int64)
            ports.append(Port(CODES, codes, ("batch", "")))
        return served_graph(
            network, ports, data.classes, name=name, front=self._front(data), shift=shift, factor=factor
        )

    def _front(self, data: Dataset) -> onnx.GraphProto:
        graph = Nodes("features")
        inputs: list[onnx.ValueInfoProto] = []
        numbers: list[str] = []
        codes: list[str] = []
        for name, column in data.columns.items():
            flag, text = column.dtype == bool, column.dtype == object
            kind = TensorProto.STRING if text else TensorProto.BOOL if flag else TensorProto.FLOAT
            inputs.append(helper.make_tensor_value_info(name, kind, ["batch", *column.shape[1:]]))
            value = graph.add("Cast", name, to=TensorProto.FLOAT) if flag else name
            if text:
                known = list(self.categories[name])
                value = graph.add(
                    "LabelEncoder",
                    name,
                    # An encoder without any key is none; no text has this one.
                    keys_strings=known or ["\x00"],
                    values_int64s=list(range(UNKNOWN + 1, UNKNOWN + 1 + len(known))) or [UNKNOWN],
                    default_int64=UNKNOWN,
                )
            single = column.ndim == 1
            (codes if text else numbers).append(
                graph.add("Unsqueeze", value, graph.numbers(1)) if single else value
            )
        outputs = []
        for parts, port, kind in ((numbers, NUMBERS, TensorProto.FLOAT), (codes, CODES, TensorProto.INT64)):
            if parts:
                graph.add("Concat", *parts, axis=1)
                graph.nodes[-1].output[0] = port
                width = len(self.medians) if parts is numbers else len(codes)
                outputs.append(helper.make_tensor_value_info(port, kind, ["batch", width]))
        return helper.make_graph(graph.nodes, "features", inputs, outputs, graph.constants)


def joined(data: Dataset) -> Dataset:
    """All columns side by side as one, `features` [rows, n]; they stay beside it, to slice by.

    Raises:
        DataError: one of them is no number.
    """
    texts = [name for name, column in data.columns.items() if column.dtype == object]
    if texts:
        raise DataError(f"inputs=matrix takes numbers only, and {texts[0]!r} holds names; use inputs=columns")
    widths = {name: 1 if column.ndim == 1 else column.shape[1] for name, column in data.columns.items()}
    note = f"features are {', '.join(data.columns)}"
    columns, beside = {"features": _matrix(data, widths)}, {**data.beside, **data.columns}
    return replace(data, columns=columns, notes=(*data.notes, note), beside=beside)


def _matrix(data: Dataset, widths: Mapping[str, int] | Sequence[str]) -> Array:
    columns = [data.columns[name].reshape(len(data), -1) for name in widths]
    return np.concatenate(columns, 1).astype(np.float32) if columns else np.zeros((len(data), 0), np.float32)

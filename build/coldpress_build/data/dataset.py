"""Rows to learn from: named columns and what is to be answered."""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from coldpress_build.errors import DataError

Array = NDArray[Any]
Task = Literal["classification", "regression"]


@dataclass(frozen=True, eq=False)
class Dataset:
    """`columns` by name, rows first. Text: object arrays of `str`. Sequences: float32 [rows, longest,
    channels] filled up with 0, beside a column `length`, int64. Images: uint8 [rows, height, width,
    channels].

    `target` [rows]: int64 indices into `classes`; or, where `classes` is empty, float32 values. `notes` say
    what was done to the raw rows.
    """

    name: str
    columns: Mapping[str, Array]
    target: Array
    classes: tuple[str, ...]
    notes: tuple[str, ...] = ()
    beside: Mapping[str, Array] = field(default_factory=dict)
    """Columns that nothing is learned from; an evaluation may be sliced by them. They do not count for the
    fingerprint."""

    def __post_init__(self) -> None:
        """Raises `ValueError` for columns of another number of rows than the target's."""
        for name, column in [*self.columns.items(), *self.beside.items()]:
            if len(column) != len(self.target):
                raise ValueError(f"{name} has {len(column)} rows, the target has {len(self.target)}")

    @classmethod
    def labelled(
        cls, name: str, columns: Mapping[str, Array], labels: Sequence[str], notes: Iterable[str] = ()
    ) -> "Dataset":
        """Rows with class names as labels; the classes are those names, sorted (numbers by value).

        Raises:
            DataError: no rows, or fewer than two classes.
        """
        classes = tuple(sorted(set(labels), key=_order))
        if len(classes) < 2:
            found = f"all {len(labels)} rows are {classes[0]!r}" if classes else "it has no rows"
            raise DataError(f"{name}: {found}; a classifier needs rows of two classes or more")
        index = {label: number for number, label in enumerate(classes)}
        return cls(
            name, columns, np.array([index[label] for label in labels], np.int64), classes, tuple(notes)
        )

    @classmethod
    def valued(
        cls, name: str, columns: Mapping[str, Array], values: Array, notes: Iterable[str] = ()
    ) -> "Dataset":
        """Rows with a number each to answer.

        Raises:
            DataError: no rows, a value that is not finite, or the same value in all rows.
        """
        if not len(values):
            raise DataError(f"{name}: it has no rows")
        if not np.isfinite(values).all():
            row = int(np.flatnonzero(~np.isfinite(values))[0]) + 1
            raise DataError(
                f"{name}: the target of row {row} is {values[row - 1]}; every one must be a number"
            )
        if (values == values[0]).all():
            raise DataError(
                f"{name}: the target is {values[0]} in all {len(values)} rows; nothing can be learned"
            )
        return cls(name, columns, values.astype(np.float32), (), tuple(notes))

    def __len__(self) -> int:
        return len(self.target)

    @property
    def task(self) -> Task:
        """What is learned from it."""
        return "classification" if self.classes else "regression"

    @property
    def answers(self) -> Array:
        """The target as a model answers it: class names, or values."""
        return np.array(self.classes, object)[self.target] if self.classes else self.target

    def take(self, rows: Iterable[int]) -> "Dataset":
        """The rows at these positions, in that order."""
        chosen = np.fromiter(rows, np.int64)
        columns = {name: column[chosen] for name, column in self.columns.items()}
        beside = {name: column[chosen] for name, column in self.beside.items()}
        return replace(self, columns=columns, target=self.target[chosen], beside=beside)

    @cached_property
    def fingerprint(self) -> str:
        """SHA-256, in hex, over the classes and each column's name, type, shape and content; the data set's
        own name and the order of the columns do not count."""
        digest = hashlib.sha256(json.dumps(self.classes).encode())
        for name, column in [*sorted(self.columns.items()), ("", self.target)]:
            digest.update(json.dumps([name, column.dtype.str, column.shape]).encode())
            if column.dtype == object:
                texts = [str(value).encode() for value in column.ravel()]
                digest.update(np.array([len(text) for text in texts], np.int64).tobytes() + b"".join(texts))
            else:
                digest.update(np.ascontiguousarray(column).tobytes())
        return digest.hexdigest()

    @property
    def reference(self) -> str:
        """`name@fingerprint`, short enough to read."""
        return f"{self.name}@{self.fingerprint[:16]}"


def _order(label: str) -> tuple[float, str]:
    try:
        return float(label), label
    except ValueError:
        return float("inf"), label

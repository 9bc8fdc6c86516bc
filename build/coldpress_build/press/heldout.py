"""Rows that a model was not fitted on, and how its answer to them is scored."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from coldpress.ort import TensorSpec
from coldpress_build.errors import BuildError, DataError
from coldpress_build.serving import ServedModel

Array = NDArray[Any]
LABELS = "coldpress.labels"
FLOATS = ("FP16", "FP32", "FP64")
INTEGERS = ("INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64")


@dataclass(frozen=True)
class HeldOut:
    """`inputs` by input name, first dimension rows. `target` [rows]: class names or numbers, or values."""

    inputs: Mapping[str, Array]
    target: Array

    def __len__(self) -> int:
        return len(self.target)

    def rows(self, start: int, stop: int) -> dict[str, Array]:
        """The inputs of some rows."""
        return {name: column[start:stop] for name, column in self.inputs.items()}

    def first(self, count: int) -> "HeldOut":
        """The first `count` rows, or all."""
        return HeldOut(self.rows(0, count), self.target[:count])


@dataclass(frozen=True)
class Scoring:
    """How an answer becomes points, 0 to 100 where 100 is perfect.

    `metric` is "accuracy" (share of rows whose class is right) or "R²" (1 - residual / total sum of squares;
    it may be below 0). `output` is the output it reads; `classes` the names that an index stands for.
    """

    metric: str
    output: str
    classes: tuple[str, ...] = ()

    def answers(self, output: Array) -> Array:
        """The model's answer to each row: class names, or values."""
        if self.metric == "R²":
            return output.reshape(len(output)).astype(np.float64)
        if output.ndim == 2 and output.shape[1] > 1:
            output = output.argmax(1)
        names = output.reshape(len(output)).tolist()
        return np.array([self.classes[n] if self.classes else str(n) for n in names], object)

    def points(self, answers: Array, target: Array) -> float:
        """`answers` against `target`, row by row."""
        if self.metric == "accuracy":
            return 100.0 * float(right(answers, target).mean())
        values = target.astype(np.float64)
        total = float(((values - values.mean()) ** 2).sum())
        return 100.0 * (1.0 - float(((values - answers) ** 2).sum()) / total)


def right(answers: Array, target: Array) -> NDArray[np.bool_]:
    """Which of the class names are the target's, row by row."""
    pairs = zip(answers.tolist(), target.tolist(), strict=True)
    return np.array([got in _spellings(true) for got, true in pairs], bool)


def _spellings(value: Any) -> tuple[str, ...]:
    """The names that a class may have. A whole number may come as a float, as all of a column with a gap do:
    1.0 is the class "1"."""
    whole = isinstance(value, float) and value.is_integer()
    return (str(int(value)), str(value)) if whole else (str(value),)


def scoring_of(model: ServedModel, target: Array) -> Scoring:
    """The first of the model's outputs that the target can be compared with.

    A string output holds class names. An integer output holds class indices, and so does the place of the
    largest in a float output [batch, classes]; their names are the metadata's `coldpress.labels`, else the
    indices themselves. A float output [batch] or [batch, 1] holds values.

    Raises:
        DataError: the target has one value only, values that are not finite, or class names that the model
            does not have.
        BuildError: none of the outputs can be compared with it.
    """
    if len(set(target.tolist())) < 2:
        raise DataError(
            f"the target is {target.tolist()[0]!r} in all {len(target)} rows; nothing can be scored by that"
        )
    # scikit-learn's converters name a label's index and class as the metadata does: by position.
    classes = class_names(model)
    values = target.dtype.kind == "f" and not np.all(target == np.floor(target))
    for spec in model.outputs:
        if spec.kind != "tensor":
            continue
        if not values and (spec.datatype == "BYTES" or spec.datatype in INTEGERS) and _one_per_row(spec):
            # Names need no table to be looked up in, but they are the same names.
            named = Scoring("accuracy", spec.name, classes if spec.datatype in INTEGERS else ())
            return _checked(named, target, classes)
        if not values and spec.datatype in FLOATS and len(spec.shape) == 2 and spec.shape[1] > 1:
            names = classes or tuple(str(index) for index in range(spec.shape[1]))
            return _checked(Scoring("accuracy", spec.name, names), target, names)
        if target.dtype.kind in "iuf" and spec.datatype in FLOATS and _one_per_row(spec):
            if not np.isfinite(target).all():
                odd = target[~np.isfinite(target)].tolist()[0]
                raise DataError(f"the target holds {odd}; every one must be a number: leave such rows out")
            return Scoring("R²", spec.name)
    raise BuildError(
        f"no output can be compared with a target such as {target.tolist()[0]!r}; the outputs are "
        + ", ".join(
            f"{spec.name} ({spec.kind} of {spec.datatype} {list(spec.shape)})" for spec in model.outputs
        )
    )


def class_names(model: ServedModel) -> tuple[str, ...]:
    """As the model's metadata tell them, in the order of the scores; none where they do not."""
    import json

    return tuple(str(label) for label in json.loads(model.metadata.get(LABELS, "[]")))


def _one_per_row(spec: TensorSpec) -> bool:
    return len(spec.shape) == 1 or (len(spec.shape) == 2 and spec.shape[1] == 1)


def _checked(scoring: Scoring, target: Array, classes: tuple[str, ...]) -> Scoring:
    """The same. `classes` are the model's, as far as they are known: a name that is none of them can only be
    wrong, and a gate that compares wrong with wrong lets everything pass."""
    found = {_spellings(value) for value in target.tolist()} if classes else set()
    unknown = sorted(names[0] for names in found if not {*names} & {*classes})
    if unknown:
        raise DataError(
            f"the target holds {', '.join(map(repr, unknown[:5]))}, and the model's classes are "
            f"{', '.join(map(repr, classes[:20]))}; say which column has the labels, and leave out rows of "
            "other classes"
        )
    return scoring

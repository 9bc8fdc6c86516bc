"""How good predictions are, in the usual figures."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import confusion_matrix, precision_recall_fscore_support


@dataclass(frozen=True)
class ClassScores:
    """Of one class, 0 to 1; `rows` that truly have it. A figure that would divide by zero is 0."""

    name: str
    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True)
class Evaluation:
    """`precision`, `recall`, `f1` are means over classes (macro); `confusion[true][predicted]` is rows."""

    rows: int
    accuracy: float
    precision: float
    recall: float
    f1: float
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]


def evaluate(true: Sequence[int], predicted: Sequence[int], classes: Sequence[str]) -> Evaluation:
    """Compare class indices, row by row."""
    numbers = list(range(len(classes)))
    per_class = precision_recall_fscore_support(true, predicted, labels=numbers, zero_division=0)
    precision, recall, f1, support = (np.asarray(figure) for figure in per_class)
    return Evaluation(
        rows=len(true),
        accuracy=float(np.mean(np.asarray(true) == np.asarray(predicted))),
        precision=float(precision.mean()),
        recall=float(recall.mean()),
        f1=float(f1.mean()),
        classes=tuple(
            ClassScores(name, float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
            for i, name in enumerate(classes)
        ),
        confusion=tuple(tuple(row) for row in confusion_matrix(true, predicted, labels=numbers).tolist()),
    )

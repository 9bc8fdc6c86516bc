"""Everything that is told about answers to held-out rows."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from coldpress_build.evaluation.calibration import Calibration
from coldpress_build.evaluation.classes import ClassScores, class_figures
from coldpress_build.evaluation.interval import Array, Estimate, bootstrap, method, wilson
from coldpress_build.evaluation.ranking import Ranking
from coldpress_build.evaluation.slices import Slice, slices
from coldpress_build.evaluation.values import Pairs, pairs, value_figures


@dataclass(frozen=True)
class Against:
    """Another model on the same rows. `difference`: this one's main figure minus the other's, row by row."""

    name: str
    value: float
    difference: Estimate


@dataclass(frozen=True)
class Evaluation:
    """Of classes (`task` "classification") or values ("regression").

    `metrics`, in this order: accuracy; precision, recall and f1, means over classes (macro); with scores also
    log_loss, brier, roc_auc and average_precision (of the second of two classes, else the mean of each class
    against the rest). Of values: r2, mae, rmse, median_absolute_error. `slice_metric` is what `slices` tell.
    """

    task: str
    rows: int
    metrics: Mapping[str, Estimate]
    intervals: str
    slice_metric: str
    classes: tuple[ClassScores, ...] = ()
    confusion: tuple[tuple[int, ...], ...] = ()
    rankings: tuple[Ranking, ...] = ()
    calibration: Calibration | None = None
    pairs: Pairs | None = None
    slices: tuple[Slice, ...] = ()
    against: Against | None = None
    main: str = field(init=False, default="")

    def __post_init__(self) -> None:
        """`main` is the figure that models are compared by: the first."""
        object.__setattr__(self, "main", next(iter(self.metrics)))

    @property
    def score(self) -> Estimate:
        """The main figure; more is better."""
        return self.metrics[self.main]

    @property
    def accuracy(self) -> float:
        """Share of the rows that are right. Raises KeyError for values, as the three below."""
        return self.metrics["accuracy"].value

    @property
    def precision(self) -> float:
        """Mean over classes."""
        return self.metrics["precision"].value

    @property
    def recall(self) -> float:
        """Mean over classes."""
        return self.metrics["recall"].value

    @property
    def f1(self) -> float:
        """Mean over classes."""
        return self.metrics["f1"].value

    def values(self) -> dict[str, float]:
        """The figures without their intervals."""
        return {name: estimate.value for name, estimate in self.metrics.items()}

    def metadata(self) -> dict[str, float]:
        """The main figure and its interval, `{main}_low` and `{main}_high`: what a model tells of itself."""
        return {
            self.main: self.score.value,
            f"{self.main}_low": self.score.low,
            f"{self.main}_high": self.score.high,
        }


def evaluate(
    target: Sequence[int] | Array,
    predicted: Sequence[int] | Array,
    classes: Sequence[str],
    *,
    scores: Array | None = None,
    slice_by: Mapping[str, Array] | None = None,
    baseline: tuple[str, Array] | None = None,
) -> Evaluation:
    """Compare answers with the truth, row by row.

    `target` and `predicted` [rows] are class indices, or values where `classes` is empty. `scores`
    [rows, classes] that are no probabilities are left aside. `slice_by`: columns [rows] by name.
    `baseline`: another model's name and its answers [rows].
    """
    true, given = np.asarray(target), np.asarray(predicted)
    other = None if baseline is None else (baseline[0], np.asarray(baseline[1]))
    if classes:
        return _classes(true, given, classes, scores, slice_by or {}, other)
    return _values(true.astype(np.float64), given.astype(np.float64), slice_by or {}, other)


def _classes(
    target: Array,
    predicted: Array,
    names: Sequence[str],
    scores: Array | None,
    slice_by: Mapping[str, Array],
    other: tuple[str, Array] | None,
) -> Evaluation:
    found = class_figures(target, predicted, names, scores)
    right = target == predicted
    others = None if other is None else target == other[1]

    def share(rows: Array) -> Estimate:
        return wilson(int(right[rows].sum()), len(rows))

    return Evaluation(
        task="classification",
        rows=len(target),
        metrics=found.metrics,
        intervals=method(len(target), len(names)),
        slice_metric="accuracy",
        classes=found.classes,
        confusion=found.confusion,
        rankings=found.rankings,
        calibration=found.calibration,
        slices=slices(
            slice_by,
            share,
            float(right.mean()),
            None if others is None else lambda rows: float(others[rows].mean()),
        ),
        against=None if other is None or others is None else _against(other[0], right, others),
    )


def _against(name: str, right: Array, others: Array) -> Against:
    gained = right.astype(np.float64) - others
    low, high = bootstrap(lambda weights: (weights @ gained / len(gained))[:, None], len(gained))
    return Against(name, float(others.mean()), Estimate(float(gained.mean()), float(low[0]), float(high[0])))


def _values(
    target: Array, predicted: Array, slice_by: Mapping[str, Array], other: tuple[str, Array] | None
) -> Evaluation:
    errors = np.abs(target - predicted)
    others = None if other is None else np.abs(target - other[1])

    def mean(rows: Array) -> Estimate:
        chosen = errors[rows]
        low, high = bootstrap(lambda weights: (weights @ chosen / len(chosen))[:, None], len(chosen))
        return Estimate(float(chosen.mean()), float(low[0]), float(high[0]))

    return Evaluation(
        task="regression",
        rows=len(target),
        metrics=value_figures(target, predicted),
        intervals=method(len(target)),
        slice_metric="mae",
        pairs=pairs(target, predicted),
        slices=slices(
            slice_by,
            mean,
            float(errors.mean()),
            None if others is None else lambda rows: float(others[rows].mean()),
        ),
        against=None if other is None else _against_values(other[0], target, predicted, other[1]),
    )


def _against_values(name: str, target: Array, ours: Array, others: Array) -> Against:
    """Both R² have the same denominator, so their difference is that of the squares over it."""
    columns = np.stack([(target - others) ** 2 - (target - ours) ** 2, target, target**2], axis=1)

    def gained(weights: Array) -> Array:
        squares, total, whole = (weights @ columns).T / len(target)
        return np.asarray(squares / (whole - total**2))[:, None]

    low, high = bootstrap(gained, len(target))
    value = 1 - float(((target - others) ** 2).sum() / ((target - target.mean()) ** 2).sum())
    here = float(gained(np.ones((1, len(target))))[0, 0])
    return Against(name, value, Estimate(here, float(low[0]), float(high[0])))

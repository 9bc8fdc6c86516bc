"""Figures of a classifier."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import brier_score_loss, confusion_matrix, log_loss, precision_recall_fscore_support

from coldpress_build.evaluation.calibration import Calibration, calibration
from coldpress_build.evaluation.interval import Array, Estimate, bootstrap, wilson
from coldpress_build.evaluation.ranking import Ranking, ranking, weighted_ranking


@dataclass(frozen=True)
class ClassScores:
    """Of one class, 0 to 1; `rows` that truly have it. A figure that would divide by zero is 0."""

    name: str
    precision: float
    recall: float
    f1: float
    rows: int


@dataclass(frozen=True)
class ClassFigures:
    """`metrics` as in `evaluate`; `confusion[true][predicted]` is rows; the rest needs scores, else empty."""

    metrics: dict[str, Estimate]
    classes: tuple[ClassScores, ...]
    confusion: tuple[tuple[int, ...], ...]
    rankings: tuple[Ranking, ...]
    calibration: Calibration | None


def class_figures(
    target: Array, predicted: Array, names: Sequence[str], scores: Array | None
) -> ClassFigures:
    """Class indices [rows], true and answered; `scores` [rows, classes] are used if they are
    probabilities."""
    numbers = list(range(len(names)))
    per_class = precision_recall_fscore_support(target, predicted, labels=numbers, zero_division=0)
    precision, recall, f1, support = (np.asarray(figure) for figure in per_class)
    values = {"precision": precision.mean(), "recall": recall.mean(), "f1": f1.mean()}
    sure = None if scores is None else probabilities(scores)
    rankings = () if scores is None or sure is None else _rankings(target, names, scores)
    if sure is not None:
        values |= _score_figures(target, sure, rankings)
    # Rows are ranked by the scores as they were given: division could make equal ones differ.
    statistic = _statistic(target, predicted, len(names), sure, scores if rankings else None)
    low, high = bootstrap(statistic, len(target), len(names))
    metrics = {"accuracy": wilson(int((target == predicted).sum()), len(target))} | {
        name: Estimate(float(value), float(low[place]), float(high[place]))
        for place, (name, value) in enumerate(values.items())
    }
    matrix = confusion_matrix(target, predicted, labels=numbers)
    return ClassFigures(
        metrics,
        tuple(
            ClassScores(name, float(precision[i]), float(recall[i]), float(f1[i]), int(support[i]))
            for i, name in enumerate(names)
        ),
        tuple(tuple(row) for row in matrix.tolist()),
        rankings,
        None if sure is None else calibration(target, sure),
    )


def probabilities(scores: Array) -> Array | None:
    """`scores` [rows, classes] as float64 with sums of 1, or None if they are no probabilities."""
    found = np.asarray(scores, np.float64)
    sums = found.sum(1, keepdims=True)
    # Half precision and int8 weights leave sums a little off; logits are far off.
    if not np.isfinite(found).all() or found.min() < -1e-3 or np.abs(sums - 1).max() > 0.02:
        return None
    found = np.clip(found, 0, None)
    return np.asarray(found / found.sum(1, keepdims=True), np.float64)


def _ranked(classes: int) -> Sequence[int]:
    """Of two classes one is enough, the second: the other's curve is the same one mirrored."""
    return [1] if classes == 2 else range(classes)


def _rankings(target: Array, names: Sequence[str], scores: Array) -> tuple[Ranking, ...]:
    places = _ranked(len(names))
    found = (ranking(names[place], target == place, scores[:, place], len(places)) for place in places)
    return tuple(one for one in found if one is not None)


def _score_figures(target: Array, scores: Array, rankings: Sequence[Ranking]) -> dict[str, float]:
    numbers = range(scores.shape[1])
    figures = {
        "log_loss": log_loss(target, scores, labels=numbers),
        "brier": brier_score_loss(target, scores, labels=numbers)
        if len(numbers) > 2
        else brier_score_loss(target, scores[:, 1], labels=numbers),
    }
    if rankings:
        figures["roc_auc"] = np.mean([one.roc_auc for one in rankings])
        figures["average_precision"] = np.mean([one.average_precision for one in rankings])
    return figures


def _statistic(
    target: Array, predicted: Array, classes: int, sure: Array | None, ranked: Array | None
) -> Callable[[Array], Array]:
    """Of weighted rows: the figures that `class_figures` lists after accuracy, in its order."""
    each = np.eye(classes)
    truly, called = each[target], each[predicted]
    right = truly * called
    losses = None if sure is None else _losses(sure, truly)
    curves = (
        []
        if ranked is None
        else [weighted_ranking(target == place, ranked[:, place]) for place in _ranked(classes)]
    )

    def figures(weights: Array) -> Array:
        hits, true, answered = weights @ right, weights @ truly, weights @ called
        columns = [
            (hits / np.maximum(answered, 1)).mean(1),
            (hits / np.maximum(true, 1)).mean(1),
            (2 * hits / np.maximum(true + answered, 1)).mean(1),
        ]
        if losses is not None:
            columns += list((weights @ losses).T / len(target))
        if curves:
            columns += list(_mean_of_known(np.stack([curve(weights) for curve in curves])))
        return np.stack(columns, axis=1)

    return figures


def _mean_of_known(values: Array) -> Array:
    """Over the first axis: a class that no row has, or every row, has no curve. NaN where none has one."""
    known = ~np.isnan(values)
    counts = known.sum(0)
    mean: Array = np.where(known, values, 0.0).sum(0) / np.where(counts > 0, counts, np.nan)
    return mean


def _losses(scores: Array, truly: Array) -> Array:
    """The log loss and the Brier loss of each row, [rows, 2], as scikit-learn defines them."""
    log = -np.log(np.clip((scores * truly).sum(1), np.finfo(scores.dtype).eps, None))
    squares = ((scores - truly) ** 2).sum(1)
    # Of two classes it is the square of one probability's error (G. W. Brier, 1950, counts both).
    return np.stack([log, squares / 2 if scores.shape[1] == 2 else squares], axis=1)

"""How well scores rank the rows of one class above the others: ROC-AUC and average precision."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from sklearn.metrics import average_precision_score, roc_auc_score, roc_curve

from coldpress_build.evaluation.interval import Array

POINTS = 100
"""A curve is drawn with at most so many; with fewer where there are many curves."""
ALL_POINTS = 2000


@dataclass(frozen=True)
class Ranking:
    """Of one class against all others. The curve's points are (share of the others let in, share found)."""

    name: str
    roc_auc: float
    average_precision: float
    false_positives: tuple[float, ...]
    true_positives: tuple[float, ...]


def ranking(name: str, positive: Array, scores: Array, curves: int = 1) -> Ranking | None:
    """`positive` [rows]: which rows are of the class. None if all are, or none: nothing is ranked then.

    `curves`: how many of them there will be.
    """
    if positive.all() or not positive.any():
        return None
    false, true, _ = roc_curve(positive, scores)
    points = max(min(POINTS, ALL_POINTS // curves), 10)
    shown = np.unique(np.linspace(0, len(false) - 1, points).round().astype(int))
    return Ranking(
        name,
        float(roc_auc_score(positive, scores)),
        float(average_precision_score(positive, scores)),
        tuple(false[shown].tolist()),
        tuple(true[shown].tolist()),
    )


def weighted_ranking(positive: Array, scores: Array) -> Callable[[Array], tuple[Array, Array]]:
    """ROC-AUC and average precision of weighted rows: weights [resamples, rows] -> two times [resamples].

    Rows of one score are one step of the curve, as in scikit-learn; with all weights 1 the figures are its.
    """
    order = np.argsort(-scores, kind="stable")
    starts = np.flatnonzero(np.diff(scores[order], prepend=np.inf))
    true = positive[order].astype(np.float64)

    def figures(weights: Array) -> tuple[Array, Array]:
        drawn = weights[:, order]
        found = np.add.reduceat(drawn * true, starts, axis=1)
        others = np.add.reduceat(drawn * (1 - true), starts, axis=1)
        all_found, all_others = found.cumsum(1), others.cumsum(1)
        total, rest = all_found[:, -1], all_others[:, -1]
        # The chance that a row of the class is above one of the others; equal scores count half.
        area = (found * (rest[:, None] - all_others + others / 2)).sum(1) / (total * rest)
        precision = all_found / np.maximum(all_found + all_others, 1)
        return area, (found * precision).sum(1) / total

    return figures

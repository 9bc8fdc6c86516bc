"""Figures of a regressor."""

from dataclasses import dataclass

import numpy as np
from sklearn.metrics import mean_absolute_error, median_absolute_error, r2_score, root_mean_squared_error

from coldpress_build.evaluation.interval import Array, Estimate, bootstrap

SHOWN = 500
"""Rows that are drawn."""


@dataclass(frozen=True)
class Pairs:
    """Rows to draw, at most `SHOWN`, evenly over the sorted true values."""

    true: tuple[float, ...]
    predicted: tuple[float, ...]


def value_figures(target: Array, predicted: Array) -> dict[str, Estimate]:
    """R², MAE, RMSE and median absolute error of values [rows], in the target's unit but for R²."""
    values = {
        "r2": r2_score(target, predicted),
        "mae": mean_absolute_error(target, predicted),
        "rmse": root_mean_squared_error(target, predicted),
        "median_absolute_error": median_absolute_error(target, predicted),
    }
    errors = np.abs(target - predicted)
    columns = np.stack([errors, errors**2, target, target**2], axis=1)
    order = np.argsort(errors)

    def statistic(weights: Array) -> Array:
        absolute, square, total, squares = (weights @ columns).T / len(target)
        middle = (weights[:, order].cumsum(1) >= len(target) / 2).argmax(1)
        r2 = 1 - square / (squares - total**2)
        return np.stack([r2, absolute, np.sqrt(square), errors[order][middle]], axis=1)

    low, high = bootstrap(statistic, len(target))
    return {
        name: Estimate(float(value), float(low[place]), float(high[place]))
        for place, (name, value) in enumerate(values.items())
    }


def pairs(target: Array, predicted: Array) -> Pairs:
    """What a plot of true against predicted shows."""
    chosen = np.unique(np.linspace(0, len(target) - 1, SHOWN).round().astype(int))
    order = np.argsort(target, kind="stable")[chosen]
    return Pairs(tuple(target[order].tolist()), tuple(predicted[order].tolist()))

"""How far a figure could be moved by which rows happened to be in the test part.

Shares of rows have Wilson's interval (E. B. Wilson, 1927: it stays inside 0 to 1 and is right for few
rows); every other figure the percentile bootstrap (B. Efron, 1979) with a fixed seed. The bootstrap draws
weights, not copies of rows: a figure of all resamples is then a few matrix products.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Statistic = Callable[[Array], Array]
"""Weights [resamples, rows], how often each row was drawn -> figures [resamples, figures]."""

LEVEL = 0.95
SEED = 0
RESAMPLES = 1000
FEWEST = 100
WORK = 100_000_000
"""Weights drawn at most: beyond it there are fewer resamples. About two seconds."""
CHUNK = 2_000_000
"""Weights in memory at a time."""


@dataclass(frozen=True)
class Estimate:
    """A figure and its interval at `LEVEL`. `low` and `high` are NaN where none can be had."""

    value: float
    low: float
    high: float

    def __format__(self, spec: str) -> str:
        return f"{self.value:{spec}} ({self.low:{spec}} to {self.high:{spec}})"


def method(rows: int, width: int = 1) -> str:
    """How the intervals of figures over `rows` rows and `width` classes were made, in words."""
    return (
        f"{LEVEL:.0%} intervals: Wilson for accuracy, percentile bootstrap for the rest "
        f"({resamples(rows, width):,} resamples, seed {SEED})"
    )


def wilson(right: int, rows: int) -> Estimate:
    """The share `right / rows` with Wilson's score interval."""
    if rows == 0:
        return Estimate(float("nan"), float("nan"), float("nan"))
    z = NormalDist().inv_cdf((1 + LEVEL) / 2)
    share = right / rows
    middle = (share + z * z / (2 * rows)) / (1 + z * z / rows)
    half = z / (1 + z * z / rows) * sqrt(share * (1 - share) / rows + z * z / (4 * rows * rows))
    return Estimate(share, max(middle - half, 0.0), min(middle + half, 1.0))


def resamples(rows: int, width: int = 1) -> int:
    """How many are drawn for `rows` rows of `width` numbers each."""
    return max(FEWEST, min(RESAMPLES, WORK // max(rows * width, 1)))


def bootstrap(statistic: Statistic, rows: int, width: int = 1) -> tuple[Array, Array]:
    """The ends of the interval of each figure of `statistic`; a resample where it is NaN does not count."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.concatenate([statistic(weights) for weights in _weights(rows, resamples(rows, width))])
    low, high = np.full((2, found.shape[1]), np.nan)
    counted = np.isfinite(found).any(axis=0)
    if counted.any():  # numpy answers no ends at all for no column
        ends = ((1 - LEVEL) / 2, (1 + LEVEL) / 2)
        low[counted], high[counted] = np.nanquantile(found[:, counted], ends, axis=0)
    return low, high


def _weights(rows: int, times: int) -> Iterator[Array]:
    generator = np.random.default_rng(SEED)
    at_once = max(CHUNK // rows, 1)
    for start in range(0, times, at_once):
        count = min(at_once, times - start)
        drawn = generator.integers(0, rows, (count, rows)) + rows * np.arange(count)[:, None]
        counts = np.bincount(drawn.ravel(), minlength=count * rows)
        yield counts.reshape(count, rows).astype(np.float64)

"""How sure one can be of the points that a candidate loses, from the same rows asked of both models."""

from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
from scipy.optimize import brentq

from coldpress_build.evaluation.interval import LEVEL, bootstrap
from coldpress_build.press.heldout import Array, HeldOut, Scoring, right

Z = NormalDist().inv_cdf((1 + LEVEL) / 2)


@dataclass(frozen=True)
class Loss:
    """Points lost against the original on the held-out rows; negative where the candidate is better.

    `low` and `high` are the ends of its 95 % interval. `spoiled` rows that only the original gets right and
    `mended` ones that only the candidate does (both 0 for values).
    """

    points: float
    low: float
    high: float
    spoiled: int
    mended: int


def lost(original: Array, candidate: Array, rows: HeldOut, scoring: Scoring) -> Loss:
    """Compare two models' answers (see `Scoring.answers`) to the same rows."""
    if scoring.metric == "accuracy":
        before, after = right(original, rows.target), right(candidate, rows.target)
        spoiled, mended = int((before & ~after).sum()), int((~before & after).sum())
        low, high = tango(spoiled, mended, len(rows))
        return Loss(100 * (spoiled - mended) / len(rows), 100 * low, 100 * high, spoiled, mended)
    values = rows.target.astype(np.float64)
    points = scoring.points(original, rows.target) - scoring.points(candidate, rows.target)

    def difference(weights: Array) -> Array:
        count = weights.sum(1)
        total = weights @ values**2 - (weights @ values) ** 2 / count
        more = weights @ ((values - candidate) ** 2 - (values - original) ** 2)
        return np.asarray(100 * more / total)[:, None]

    low, high = (float(end[0]) for end in bootstrap(difference, len(rows)))
    return Loss(points, low, high, 0, 0)


def tango(spoiled: int, mended: int, rows: int) -> tuple[float, float]:
    """Interval of the difference of two shares of the same rows, (spoiled - mended) / rows.

    The score interval of T. Tango, Statistics in Medicine 17 (1998) 891-908: right for few rows and for
    few or no changed ones, where the bootstrap and Wald's interval have no width.
    """

    def score(delta: float) -> float:
        b = -spoiled - mended + (2 * rows - spoiled + mended) * delta
        c = -mended * delta * (1 - delta)
        q = (sqrt(max(b * b - 8 * rows * c, 0.0)) - b) / (4 * rows)
        spread = rows * (2 * q + delta * (1 - delta))
        return (spoiled - mended - rows * delta) / sqrt(spread) if spread > 0 else 0.0

    share = (spoiled - mended) / rows
    # Below the share the score is positive, above it negative; at the ends of the range it has no spread.
    edge = 1 - 1e-9
    low = -1.0 if score(-edge) <= Z else float(brentq(lambda d: score(d) - Z, -edge, share))
    high = 1.0 if score(edge) >= -Z else float(brentq(lambda d: score(d) + Z, share, edge))
    return low, high


def rows_needed(points: float) -> int:
    """Rows on which a candidate that changes no answer has an interval that ends at `points` lost."""
    return int(np.ceil(Z * Z * (100 / points - 1))) if points > 0 else 2**63

"""Whether "90 % sure" is right nine times in ten."""

from dataclasses import dataclass

import numpy as np

from coldpress_build.evaluation.interval import Array, Estimate, wilson

BINS = 15


@dataclass(frozen=True)
class Bin:
    """Rows whose highest score is in [low, high): its mean, and the share that is answered right."""

    low: float
    high: float
    rows: int
    confidence: float
    right: Estimate


@dataclass(frozen=True)
class Calibration:
    """`error` is the expected calibration error: the mean over rows of |confidence - right| of their bin.

    M. P. Naeini, G. F. Cooper, M. Hauskrecht: Obtaining Well Calibrated Probabilities Using Bayesian Binning
    (AAAI 2015), with `BINS` bins of equal width and the highest score as confidence, as in C. Guo et al.: On
    Calibration of Modern Neural Networks (ICML 2017). Computed by torchmetrics. Empty bins are left out.
    """

    error: float
    bins: tuple[Bin, ...]


def calibration(target: Array, scores: Array) -> Calibration:
    """`scores` [rows, classes] are probabilities."""
    # torch and torchmetrics take seconds to import: evaluation of values does without.
    import torch
    from torchmetrics.functional.classification import multiclass_calibration_error

    # A score of exactly 1 belongs to the last bin, not to one of its own as in torchmetrics.
    scores = np.minimum(np.asarray(scores, np.float64), np.nextafter(1.0, 0.0))
    error = multiclass_calibration_error(
        torch.from_numpy(scores),
        torch.from_numpy(np.asarray(target, np.int64)),
        num_classes=scores.shape[1],
        n_bins=BINS,
        norm="l1",
    )
    confidence, right = scores.max(1), scores.argmax(1) == target
    edges = np.linspace(0, 1, BINS + 1)
    place = np.searchsorted(edges, confidence, side="right") - 1
    bins = []
    for number in np.unique(place).tolist():
        chosen = place == number
        share = wilson(int(right[chosen].sum()), int(chosen.sum()))
        mean = float(confidence[chosen].mean())
        bins.append(Bin(float(edges[number]), float(edges[number + 1]), int(chosen.sum()), mean, share))
    return Calibration(float(error), tuple(bins))

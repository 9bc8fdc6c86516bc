"""The few figures that one looks for first."""

from collections.abc import Iterator

from coldpress_build.evaluation.interval import LEVEL
from coldpress_build.report.drawing import TIMES
from coldpress_build.report.report import Report, Training

Tile = tuple[str, str, str]
NAMES = {
    "accuracy": "Accuracy",
    "precision": "Precision, macro",
    "recall": "Recall, macro",
    "f1": "F1, macro",
    "log_loss": "Log loss",
    "brier": "Brier score",
    "roc_auc": "ROC-AUC",
    "average_precision": "Average precision",
    "r2": "R²",
    "mae": "Mean absolute error",
    "rmse": "Root mean squared error",
    "median_absolute_error": "Median absolute error",
}
"""Metrics as people read them."""
SECOND = ("roc_auc", "f1", "mae")
"""The first of these that there is stands beside the main one."""


def headline(report: Report) -> Iterator[Tile]:
    """Name, figure, remark."""
    if report.training is not None:
        yield from _training(report.training)
    pressed = report.pressed
    best, original = pressed.best, pressed.original
    if report.training is None:
        loss = original.answers.score - best.answers.score
        yield (
            f"{pressed.scoring.metric}, held out",
            f"{best.answers.score:.2f}",
            f"points, {loss:+.2f} lost" if loss else "points, none lost",
        )
    yield (
        f"Size ({pressed.winner})",
        f"{best.bytes / 1e3:,.0f} kB",
        f"{TIMES}{best.bytes / original.bytes:.2f} of {original.bytes / 1e3:,.0f} kB",
    )
    yield (
        "A request, one thread",
        f"{best.latency_ms:.3g} ms",
        f"{TIMES}{best.slower:.2f} of the original's {original.latency_ms:.3g} ms",
    )


def _training(training: Training) -> Iterator[Tile]:
    evaluation = training.evaluation
    second = next(name for name in SECOND if name in evaluation.metrics)
    for name in (evaluation.main, second):
        one = evaluation.metrics[name]
        yield NAMES[name], f"{one.value:.4f}", f"{one.low:.4f} to {one.high:.4f} ({LEVEL:.0%})"
    if (against := evaluation.against) is not None:
        gain = against.difference
        yield (
            "Against the baseline",
            f"{gain.value:+.4f}",
            f"{gain.low:+.4f} to {gain.high:+.4f}; {against.name}: {against.value:.4f}",
        )
    if (found := training.cross_validation) is not None:
        spread = found.metrics[found.main]
        yield (
            f"{NAMES[found.main]}, {len(found.folds)} folds",
            f"{spread.mean:.4f}",
            f"± {spread.deviation:.4f}, standard deviation",
        )
    counts = training.counts
    yield (
        "Rows to learn from",
        f"{counts['train']:,}",
        ", ".join(f"{count:,} {part}" for part, count in counts.items() if part != "train"),
    )
    chosen = training.chosen
    yield "Parameters", f"{training.parameters:,}", f"seed {chosen.seed}, epoch {chosen.best.number}"

"""The report's picture: the candidates, and of a training run its curve and its confusion matrix."""

import io
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from coldpress_build.press.press import Pressed
from coldpress_build.quiet import quiet
from coldpress_build.report.report import Report, Training

# Apart for most colour-blind eyes (Okabe and Ito, 2008); markers say the same.
PASSED, FAILED, PLAIN = "#009E73", "#D55E00", "#0072B2"
MARKERS = "os^Dv<>"


def picture(report: Report) -> bytes:
    """A PNG."""
    panels = [_candidates] if report.training is None else [_candidates, _curve, _confusion]
    with quiet():
        figure = Figure(figsize=(5.6 * len(panels), 4.6), layout="constrained")
        FigureCanvasAgg(figure)  # no window and no global state, unlike pyplot
        for number, draw in enumerate(panels, 1):
            draw(figure.add_subplot(1, len(panels), number), report)
        buffer = io.BytesIO()
        figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def _candidates(axes: Any, report: Report) -> None:
    pressed: Pressed = report.pressed
    measured = [(one, one.figures) for one in pressed.candidates if one.figures is not None]
    for place, (one, figures) in enumerate(measured):
        published = one.name == pressed.winner
        verdict = "published" if published else "passes" if one.passed else "fails"
        axes.scatter(
            figures.served_bytes / 1e6,
            figures.answers.score,
            s=90,
            # Hollow and of different shapes: candidates of one size and score lie on each other.
            marker=MARKERS[place % len(MARKERS)],
            facecolors=PASSED if published else "none",
            edgecolors=PASSED if one.passed else FAILED,
            linewidths=2,
            zorder=3 - published,
            label=f"{one.name}: {figures.latency_ms:.3g} ms, {verdict}",
        )
    floor = pressed.original.answers.score - pressed.gate.max_loss
    axes.axhline(floor, color=FAILED, linestyle="--", linewidth=1, label="least score that passes")
    axes.set_xlim(0, 1.15 * max(figures.served_bytes for _, figures in measured) / 1e6)
    axes.margins(y=0.6)
    axes.legend(fontsize=8)
    axes.set(
        title="Candidates",
        xlabel="size as served, MB",
        ylabel=f"{pressed.scoring.metric} on {pressed.rows} held-out rows, points",
    )


def _training(report: Report) -> Training:
    if report.training is None:
        raise ValueError("this report is of no training run")
    return report.training


def _curve(axes: Any, report: Report) -> None:
    training = _training(report)
    for fit in training.fits:
        chosen = fit == training.chosen
        numbers = [epoch.number for epoch in fit.epochs]
        style = {"alpha": 1.0 if chosen else 0.3, "linewidth": 2 if chosen else 1}
        named = (
            {"train": "training", "validation": "validation"}
            if chosen
            else {"train": None, "validation": None}
        )
        axes.plot(numbers, [e.train_loss for e in fit.epochs], color=PLAIN, label=named["train"], **style)
        axes.plot(
            numbers, [e.validation_loss for e in fit.epochs], color=FAILED, label=named["validation"], **style
        )
    best = training.chosen.best
    axes.scatter(best.number, best.validation_loss, color=FAILED, edgecolors="black", zorder=3)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set(
        title=f"Training, seed {training.chosen.seed} (others faint)", xlabel="epoch", ylabel="loss, nats"
    )
    axes.legend()


def _confusion(axes: Any, report: Report) -> None:
    training = _training(report)
    counts = np.array(training.evaluation.confusion)
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    places = range(len(training.classes))
    if len(training.classes) <= 12:
        axes.set_xticks(places, training.classes, rotation=30, ha="right")
        axes.set_yticks(places, training.classes)
        for row in places:
            for column in places:
                colour = "white" if shares[row, column] > 0.5 else "black"
                axes.text(column, row, counts[row, column], ha="center", va="center", color=colour)
    axes.set(
        title=f"Test part: {training.evaluation.accuracy:.1%} of {training.evaluation.rows} rows right",
        xlabel="answered",
        ylabel="true",
    )

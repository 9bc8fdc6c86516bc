"""What a classifier answers: confusion, ROC, reliability."""

from collections.abc import Sequence

import numpy as np
from matplotlib.colors import to_rgb
from matplotlib.patches import Rectangle

from coldpress_build.evaluation.calibration import Calibration
from coldpress_build.evaluation.evaluate import Evaluation
from coldpress_build.evaluation.interval import Array
from coldpress_build.report.drawing import BLUE, HEIGHT, INK, LINE, SERIES, SOFT, Plot, shortened

CELL = "#0072b3"
"""The same on light and on dark: white numbers stand on it."""
NUMBERED = 12
"""Classes up to which each cell has its count."""
NAMED = 40
"""Classes up to which they are named at the edges."""


def confusion(evaluation: Evaluation) -> Plot:
    """True class by row, answered class by column; the colour is the share of the row."""
    counts = np.array(evaluation.confusion)
    names = [one.name for one in evaluation.classes]
    plot = Plot(
        "Confusion",
        f"Confusion matrix of {len(names)} classes over {evaluation.rows} test rows, {counts.trace()} right.",
        height=HEIGHT * (1.0 if len(names) <= NUMBERED else 1.25),
    )
    axes, places = plot.axes, range(len(names))
    shares = counts / np.maximum(counts.sum(1, keepdims=True), 1)
    if len(names) <= NAMED:
        _cells(plot, counts, shares, names)
    else:
        # One picture: a hundred classes would be thousands of squares.
        colours = np.empty((*counts.shape, 4))
        colours[..., :3], colours[..., 3] = to_rgb(CELL), shares
        axes.imshow(colours, interpolation="nearest")
    axes.set(xlim=(-0.5, len(names) - 0.5), ylim=(len(names) - 0.5, -0.5), aspect="equal")
    axes.grid(visible=False)
    if len(names) <= NAMED:
        small = 9 if len(names) <= NUMBERED else 6.5
        turned = len(names) > 4 or max(map(len, names)) > 10
        shown = [shortened(name, 14) for name in names]
        axes.set_xticks(places, shown, rotation=90 if turned else 0, fontsize=small)
        axes.set_yticks(places, shown, fontsize=small)
    else:
        axes.set(xticks=[], yticks=[])
    axes.set(xlabel="answered", ylabel="true")
    return plot


def _cells(plot: Plot, counts: Array, shares: Array, names: Sequence[str]) -> None:
    numbered = len(names) <= NUMBERED
    for row, column in np.ndindex(*counts.shape):
        count, share = int(counts[row, column]), float(shares[row, column])
        if not numbered and not count:
            continue
        fill = (CELL, share * 0.95)
        square = Rectangle((column - 0.5, row - 0.5), 1, 1, facecolor=fill, edgecolor=LINE, linewidth=0.5)
        cell = plot.axes.add_patch(square)
        plot.tip(cell, f"{names[row]} answered {names[column]}: {count} rows ({share:.1%})")
        if numbered:
            colour = "#ffffff" if share > 0.6 else INK
            small = 9 if len(names) < 8 else 7.5
            plot.axes.text(column, row, f"{count}", ha="center", va="center", color=colour, fontsize=small)


def roc(evaluation: Evaluation) -> Plot:
    """Each class against the rest; of two classes the second."""
    rankings = evaluation.rankings
    mean = evaluation.metrics["roc_auc"].value
    named = len(rankings) <= len(SERIES)
    whose = f" of {rankings[0].name!r}" if len(rankings) == 1 else f", mean of {len(rankings)} classes"
    plot = Plot("ROC", f"ROC curves; area under the curve {mean:.4f}{whose}.")
    axes = plot.axes
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=":")
    for place, one in enumerate(rankings):
        (line,) = axes.plot(
            one.false_positives,
            one.true_positives,
            color=SERIES[place % len(SERIES)],
            linestyle=("-", "--", "-.")[place // len(SERIES) % 3],
            linewidth=2 if named else 1,
            label=f"{shortened(one.name, 18)}  {one.roc_auc:.3f}" if named else None,
        )
        plot.tip(line, f"{one.name}: area {one.roc_auc:.4f}, average precision {one.average_precision:.4f}")
    axes.set(xlim=(-0.01, 1.01), ylim=(-0.01, 1.02))
    axes.set(xlabel="share of the others taken for the class", ylabel="share of the class found")
    if named:
        axes.legend(loc="lower right", title="area under the curve", title_fontsize=8.5)
    return plot


def reliability(evaluation: Evaluation, found: Calibration) -> Plot:
    """How sure against how often right; bars below show how many rows are that sure."""
    plot = Plot(
        "Reliability",
        f"Reliability diagram of {evaluation.rows} test rows; expected calibration error {found.error:.4f}.",
    )
    axes = plot.axes
    axes.plot([0, 1], [0, 1], color=SOFT, linewidth=1, linestyle=":", label="as sure as right")
    most = max(one.rows for one in found.bins)
    for one in found.bins:
        bar = axes.bar(
            (one.low + one.high) / 2, 0.22 * one.rows / most, (one.high - one.low) * 0.9, color=LINE, zorder=1
        )
        plot.tip(bar[0], f"{one.rows:,} rows with a highest score of {one.low:.2f} to {one.high:.2f}")
    places, shares = [one.confidence for one in found.bins], [one.right.value for one in found.bins]
    ends = [
        [one.right.value - one.right.low for one in found.bins],
        [one.right.high - one.right.value for one in found.bins],
    ]
    axes.errorbar(
        places, shares, yerr=np.maximum(ends, 0), color=BLUE, marker="o", markersize=5, linewidth=1.2,
        elinewidth=1, label="right, with interval",
    )  # fmt: skip
    axes.set(xlim=(max(0.0, found.bins[0].low - 0.03), 1.02), ylim=(0, 1.03))
    axes.set(xlabel="highest score (grey bars: how many rows)", ylabel="share that is right")
    plot.legend_above()
    return plot

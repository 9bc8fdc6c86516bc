"""What cross-validation and a sweep found."""

import numpy as np
from matplotlib.ticker import MaxNLocator

from coldpress_build.crossvalidation import CrossValidation
from coldpress_build.report.drawing import BLUE, GREEN, LINE, SOFT, Plot, shortened
from coldpress_build.sweep import Sweep


def folds(found: CrossValidation) -> Plot:
    """The main figure of each fold; the band is mean ± standard deviation."""
    spread = found.metrics[found.main]
    plot = Plot(
        f"{len(found.folds)}-fold cross-validation",
        f"{found.main} of {len(found.folds)} folds: {spread.mean:.4f} ± {spread.deviation:.4f}.",
    )
    axes, numbers = plot.axes, [fold.number for fold in found.folds]
    axes.axhspan(
        spread.mean - spread.deviation, spread.mean + spread.deviation, color=LINE, alpha=0.5, zorder=0
    )
    axes.axhline(spread.mean, color=BLUE, linewidth=1, linestyle="--")
    for fold in found.folds:
        dot = axes.scatter(
            fold.number, fold.metrics[found.main], color=BLUE, s=55, zorder=3,
            label="this recipe" if fold.number == 1 else None,
        )  # fmt: skip
        plot.tip(dot, f"fold {fold.number}: {fold.metrics[found.main]:.4f}, {fold.rows:,} rows")
    axes.scatter(
        numbers, [fold.baseline for fold in found.folds], marker="_", s=120, color=SOFT, label=found.baseline
    )
    axes.set_xticks(numbers)
    axes.margins(x=0.1, y=0.25)
    axes.set(xlabel="fold (band: mean ± standard deviation)", ylabel=found.main)
    plot.legend_above()
    return plot


def history(sweep: Sweep) -> Plot:
    """The validation loss of each trial, and the best so far."""
    done = [trial for trial in sweep.trials if trial.state == "complete"]
    pruned = [trial for trial in sweep.trials if trial.state == "pruned" and trial.loss is not None]
    plot = Plot(
        "Sweep: trials",
        f"Validation loss of {len(done)} trials, {len(pruned)} more stopped early; best is trial "
        f"{sweep.best.number}: {sweep.best.loss:.4f}.",
    )
    axes = plot.axes
    losses = [trial.loss or 0.0 for trial in done]
    # One bad trial must not press all others onto the floor: what is worse by far is drawn at the top.
    low, high = min(losses), float(np.quantile(losses, 0.8))
    room = max(high - low, 1e-6)
    top = high + 0.5 * room
    for trial, loss in zip(done, losses, strict=True):
        mark = axes.scatter(trial.number, min(loss, top), color=BLUE, s=36, zorder=3)
        plot.tip(mark, f"trial {trial.number}: {loss:.4f}; {trial.words}")
    for trial in pruned:
        loss = trial.loss or 0.0
        mark = axes.scatter(trial.number, min(loss, top), color=SOFT, marker="x", s=30, linewidths=1.2)
        plot.tip(mark, f"trial {trial.number}: stopped at {loss:.4f}; {trial.words}")
    sofar = np.minimum.accumulate(losses)
    axes.step(
        [trial.number for trial in done], sofar, where="post", color=GREEN, linewidth=1.5, label="best so far"
    )
    axes.scatter(sweep.best.number, low, s=110, facecolors="none", edgecolors=GREEN, linewidths=2)
    axes.set_ylim(low - 0.15 * room, top + 0.1 * room)
    axes.set(xlabel="trial (crosses: stopped early)", ylabel="validation loss")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    plot.legend_above()
    return plot


def importance(sweep: Sweep) -> Plot:
    """How much of the difference between trials each setting explains."""
    found = sorted(sweep.importance.items(), key=lambda item: item[1])
    plot = Plot(
        "Sweep: what mattered",
        "Importance of " + ", ".join(f"{name} {share:.0%}" for name, share in reversed(found)),
        height=max(2.0, 1.1 + 0.3 * len(found)),
    )
    bars = plot.axes.barh(range(len(found)), [share for _, share in found], color=BLUE, height=0.6)
    for bar, (name, share) in zip(bars, found, strict=True):
        plot.tip(bar, f"{name}: {share:.1%}")
    plot.axes.set_yticks(range(len(found)), [shortened(name) for name, _ in found])
    plot.axes.grid(visible=False, axis="y")
    plot.below("share of the difference in validation loss")
    return plot

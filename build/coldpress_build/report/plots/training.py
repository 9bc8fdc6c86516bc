"""How the fits went."""

from collections.abc import Sequence

from coldpress_build.report.drawing import BLUE, RED, Plot
from coldpress_build.report.report import Training


def curves(training: Training) -> Plot:
    """Loss by epoch; the chosen fit strong, the other restarts faint."""
    chosen = training.chosen
    best = chosen.best
    others = f"; {len(training.fits) - 1} other seeds faint" if len(training.fits) > 1 else ""
    plot = Plot(
        "Training",
        f"Training and validation loss over {len(chosen.epochs)} epochs of seed {chosen.seed}{others}. Best "
        f"is epoch {best.number}: validation loss {best.validation_loss:.4f}.",
    )
    axes = plot.axes
    for fit in training.fits:
        strong = fit == chosen
        numbers = [epoch.number for epoch in fit.epochs]
        for values, colour, name in (
            ([epoch.train_loss for epoch in fit.epochs], BLUE, "training"),
            ([epoch.validation_loss for epoch in fit.epochs], RED, "validation"),
        ):
            axes.plot(
                numbers,
                values,
                color=colour,
                alpha=1 if strong else 0.3,
                linewidth=2 if strong else 1,
                marker="o" if strong and len(numbers) < 3 else None,
                label=name if strong else None,
            )
    dot = axes.scatter(best.number, best.validation_loss, color=RED, s=45, zorder=3)
    plot.tip(dot, f"epoch {best.number}: {best.validation_loss:.4f}")
    _whole_numbers(plot, [epoch.number for fit in training.fits for epoch in fit.epochs])
    axes.set(xlabel=f"epoch (seed {chosen.seed}{others})", ylabel="loss")
    axes.legend()
    return plot


def _whole_numbers(plot: Plot, numbers: Sequence[int]) -> None:
    step = max(1, -(-max(numbers) // 10))
    plot.axes.set_xticks(range(step if step > 1 else 1, max(numbers) + 1, step))

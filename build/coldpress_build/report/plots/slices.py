"""Where a model is better and worse than its average."""

from coldpress_build.evaluation.evaluate import Evaluation
from coldpress_build.report.drawing import BLUE, RED, SOFT, Plot, shortened


def sliced(evaluation: Evaluation, column: str) -> Plot:
    """The figure of each slice by `column` with its interval; a dashed line is the whole test part's."""
    shown = [one for one in evaluation.slices if one.column == column]
    metric = evaluation.slice_metric
    whole = evaluation.metrics[metric].value
    plot = Plot(
        f"Slices by {shortened(column, 40)}",
        f"{metric} of {len(shown)} slices by {column}; the whole has {whole:.4f}.",
        height=max(2.0, 1.2 + 0.27 * len(shown)),
    )
    axes = plot.axes
    axes.axvline(whole, color=SOFT, linewidth=1, linestyle="--", label=f"all {evaluation.rows:,} rows")
    for place, one in enumerate(shown):
        colour = RED if one.differs else BLUE
        axes.plot([one.metric.low, one.metric.high], [place, place], color=colour, linewidth=1.5)
        dot = axes.scatter(
            one.metric.value,
            place,
            s=42,
            facecolors="none" if one.few else colour,
            edgecolors=colour,
            zorder=3,
        )
        few = "; few rows" if one.few else ""
        plot.tip(dot, f"{one.column} = {one.value}: {one.metric:.4f}, {one.rows:,} rows{few}")
        if one.baseline is not None:
            axes.scatter(
                one.baseline, place, marker="|", s=90, color=SOFT, label="baseline" if not place else None
            )
    axes.set_yticks(range(len(shown)), [shortened(one.value) for one in shown])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    plot.below(f"{metric} (hollow: few rows; red: differs)")
    plot.legend_above()
    return plot

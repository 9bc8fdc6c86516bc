"""Where a model is better and worse than its average."""

from coldpress_build.evaluation.evaluate import Evaluation
from coldpress_build.report.drawing import BLUE, RED, SOFT, Plot, shortened

MOST = 40


def sliced(evaluation: Evaluation) -> Plot:
    """The figure of each slice with its interval; a dashed line is the whole test part's."""
    shown = evaluation.slices[:MOST]
    metric = evaluation.slice_metric
    whole = evaluation.metrics[metric].value
    columns = ", ".join(dict.fromkeys(one.column for one in shown))
    plot = Plot(
        f"Slices by {columns}",
        f"{metric} of {len(shown)} slices by {columns}; the whole has {whole:.4f}.",
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
    several = len({one.column for one in shown}) > 1
    names = [f"{one.column}: {one.value}" if several else one.value for one in shown]
    axes.set_yticks(range(len(shown)), [shortened(name) for name in names])
    axes.set_ylim(len(shown) - 0.4, -0.6)
    plot.below(f"{metric} (hollow: few rows; red: differs)")
    plot.legend_above()
    return plot

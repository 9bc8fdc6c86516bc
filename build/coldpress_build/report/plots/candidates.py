"""What the press weighed: size against score, with the time of a request."""

from collections.abc import Sequence
from typing import Any

from coldpress_build.press.gate import Figures
from coldpress_build.press.press import Pressed
from coldpress_build.report.drawing import GREEN, HEIGHT, RED, SOFT, TIMES, Plot

APART = 0.052
"""Between two labels, as a share of the plot's height."""
COLUMN = 0.62
"""Where the labels begin, as a share of its width."""


def pareto(pressed: Pressed) -> Plot:
    """Candidates by size and score. Labels name each with its time of a request against the original's."""
    best = pressed.best
    plot = Plot(
        "Candidates: size and score",
        f"Size as served against {pressed.scoring.metric} of {len(pressed.candidates)} candidates; published "
        f"is {pressed.winner}: {best.served_bytes} bytes, {best.answers.score:.2f} points.",
        height=HEIGHT * 1.15,
    )
    axes, labels = plot.axes, []
    for one in pressed.candidates:
        if one.figures is None:
            continue
        figures, colour = one.figures, GREEN if one.passed else RED
        published = one.name == pressed.winner
        x, y = figures.served_bytes / 1e3, figures.answers.score
        fill = colour if published else "none"
        dots = axes.scatter(x, y, s=70, facecolors=fill, edgecolors=colour, linewidths=1.8, zorder=3)
        plot.tip(dots, f"{one.name}: {_figures(figures)}; {one.reason or 'passes'}")
        mark = ", published" if published else ""
        labels.append((x, y, f"{one.name}{mark}  {TIMES}{figures.slower:.2f}", colour))
    floor = pressed.original.answers.score - pressed.gate.max_loss
    axes.axhline(floor, color=RED, linestyle="--", linewidth=1)
    below: Any = {"xytext": (0, -10), "textcoords": "offset points", "fontsize": 8, "color": RED}
    axes.annotate("least score that passes", (0.01, floor), xycoords=("axes fraction", "data"), **below)
    largest = max(x for x, *_ in labels)
    axes.set_xlim(0, largest / (COLUMN - 0.06))
    scores = [floor, *(y for _, y, *_ in labels)]
    room = max(max(scores) - min(scores), 0.5)
    axes.set_ylim(min(scores) - 0.3 * room, max(scores) + 0.5 * room)
    _label(plot, labels)
    axes.set(
        xlabel=f"size as served, kB  ({TIMES}: time against the original's)",
        ylabel=f"{pressed.scoring.metric}, points",
    )
    return plot


def _figures(figures: Figures) -> str:
    return (
        f"{figures.answers.score:.2f} points, {figures.served_bytes:,} bytes as served, "
        f"{figures.latency_ms:.3g} ms a request ({TIMES}{figures.slower:.2f})"
    )


def _label(plot: Plot, labels: Sequence[tuple[float, float, str, str]]) -> None:
    """Names in a column to the right, as near to their points as leaves each its line."""
    axes = plot.axes
    bottom, top = axes.get_ylim()
    ordered = sorted(labels, key=lambda label: (label[1], -label[0]))
    places: list[float] = []
    for _, y, *_ in ordered:
        places.append(max((y - bottom) / (top - bottom), places[-1] + APART if places else 0.0))
    highest = 0.98
    for index in reversed(range(len(places))):
        places[index] = min(places[index], highest)
        highest = places[index] - APART
    line = {
        "arrowstyle": "-",
        "color": SOFT,
        "linewidth": 0.5,
        "shrinkB": 5,
        "shrinkA": 1,
        "relpos": (0, 0.5),
    }
    for (x, y, text, colour), place in zip(ordered, places, strict=True):
        axes.annotate(
            text, (x, y), (COLUMN, place), textcoords="axes fraction", va="center", fontsize=8,
            color=colour, arrowprops=line,
        )  # fmt: skip

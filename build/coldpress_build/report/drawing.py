"""Plots as inline SVG that take the page's colours and fonts: readable on light and on dark."""

import io
import re
from collections.abc import Mapping
from contextlib import AbstractContextManager
from html import escape
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure

from coldpress_build.quiet import quiet

# Each stands for a colour of the page (style.py), put in its place once matplotlib has drawn.
INK, SOFT, LINE, CARD = "#010101", "#020202", "#030303", "#040404"
BLUE, RED, GREEN = "#0072b2", "#d55e00", "#009e73"
VARIABLES = {
    INK: "var(--ink)",
    SOFT: "var(--soft)",
    LINE: "var(--line)",
    CARD: "var(--card)",
    BLUE: "var(--blue)",
    RED: "var(--red)",
    GREEN: "var(--green)",
}
# Apart for most colour-blind eyes (Okabe and Ito, 2008); more than these are told apart by dashes.
SERIES = (BLUE, RED, GREEN, "#cc79a7", "#e69f00", "#56b4e9")
WIDTH, HEIGHT = 4.6, 3.5
"""Inches of 96 pixels: about a phone's width, so that letters are as large there as they are drawn."""

TIMES = "\N{MULTIPLICATION SIGN}"

SETTINGS: Any = {
    "svg.fonttype": "none",  # text stays text: found, copied, and in the page's font
    "font.size": 9.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.edgecolor": LINE,
    "axes.facecolor": "none",
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.labelcolor": SOFT,
    "axes.formatter.limits": (-3, 4),  # longer numbers would stand in each other
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": SOFT,
    "ytick.color": SOFT,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "figure.facecolor": "none",
}


def styled() -> AbstractContextManager[None]:
    """Plots are made inside of this."""
    return mpl.rc_context(SETTINGS)


class Plot:
    """One picture with one pair of axes. `said` is the picture in words, for those who cannot see it."""

    def __init__(self, title: str, said: str, *, height: float = HEIGHT) -> None:
        self.said = said
        self._tips: dict[str, str] = {}
        self.figure = Figure(figsize=(WIDTH, height), layout="constrained")
        FigureCanvasSVG(self.figure)  # no window and no global state, unlike pyplot
        self.axes: Axes = self.figure.add_subplot()
        self._title = title

    def legend_above(self, columns: int = 2) -> None:
        """The legend between title and axes, where it covers nothing."""
        self.axes.legend(loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=columns, borderaxespad=0.1)

    def below(self, text: str) -> None:
        """What the x axis shows, in the middle of the picture: long names beside it leave little room."""
        self.figure.supxlabel(text, fontsize=9.5, color=SOFT)

    def tip(self, artist: Any, text: str) -> None:
        """Show `text` when the pointer rests on `artist`."""
        name = f"tip-{len(self._tips)}"
        artist.set_gid(name)
        self._tips[name] = text

    def svg(self) -> str:
        """The element `<svg>`, without anything that points out of the page."""
        self.figure.suptitle(self._title, x=0.02, ha="left", fontsize=11, fontweight="bold", color=INK)
        buffer = io.StringIO()
        # Ids of clips and markers are hashes of their content and this salt: two plots of a page must differ.
        with quiet(), mpl.rc_context({"svg.hashsalt": self.said}):
            self.figure.savefig(buffer, format="svg", transparent=True, metadata={"Date": None})
        return _inlined(buffer.getvalue(), self._tips, self.said)


def _inlined(drawn: str, tips: Mapping[str, str], said: str) -> str:
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>", "", drawn, flags=re.DOTALL)
    size = re.search(r'viewBox="[^"]*"', drawn)
    head = f'<svg {size[0] if size else ""} role="img" aria-label="{escape(said)}">'
    drawn = head + drawn[drawn.index(">") + 1 :]
    for name, text in tips.items():
        start = drawn.index(f'<g id="{name}"')
        inside = drawn.index(">", start) + 1
        drawn = f"{drawn[:inside]}<title>{escape(text)}</title>{drawn[inside:]}"
    # Groups are numbered from 1 in each plot: no ids twice in a page.
    drawn = re.sub(r'<g id="[^"]*"', "<g", drawn)
    drawn = re.sub(r"font: ([^;\"]*?px) [^;\"]*", r"font: \1 system-ui, sans-serif", drawn)
    for colour, variable in VARIABLES.items():
        drawn = drawn.replace(colour, variable)
    return drawn


def shortened(text: str, most: int = 24) -> str:
    """`text`, or its beginning and an ellipsis."""
    return text if len(text) <= most else text[: most - 1] + "…"

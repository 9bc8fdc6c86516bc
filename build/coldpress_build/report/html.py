"""Pieces of the page. All text is escaped here, and nowhere else."""

from collections.abc import Iterable, Sequence
from html import escape

from coldpress_build.report.drawing import Plot

LONG = 30
"""Letters beyond which a cell may take more than one line."""


def table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Iterable[int] = (), winner: int = -1
) -> str:
    """`numbers`: columns that stand to the right; `winner`: the row that is set off. Wide ones scroll."""
    right = set(numbers)

    def cells(tag: str, row: Sequence[str]) -> str:
        kinds = [
            ' class="number"' if place in right else ' class="long"' if len(cell) > LONG else ""
            for place, cell in enumerate(row)
        ]
        return "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    lines = [f"<tr>{cells('th', heads)}</tr>"]
    lines += [
        f"<tr{' class=winner' if place == winner else ''}>{cells('td', row)}</tr>"
        for place, row in enumerate(rows)
    ]
    # tabindex: who has no pointer scrolls by keys.
    return f'<div class="wide" tabindex="0"><table>{"".join(lines)}</table></div>'


def section(title: str, *content: str, folded: bool = True) -> str:
    """Something to unfold; open at once unless `folded`."""
    return (
        f"<details{'' if folded else ' open'}><summary>{escape(title)}</summary>{''.join(content)}</details>"
    )


def paragraph(text: str) -> str:
    """Plain text, softly."""
    return f'<p class="note">{escape(text)}</p>'


def tiles(found: Iterable[tuple[str, str, str]]) -> str:
    """Each a name, a figure and a remark."""
    return _grid(
        "tiles",
        (
            f'<div class="tile"><span>{escape(name)}</span><b>{escape(figure)}</b>'
            f"<span>{escape(remark)}</span></div>"
            for name, figure, remark in found
        ),
    )


def plots(found: Iterable[Plot]) -> str:
    """Side by side as far as there is room."""
    return _grid("plots", (f'<figure class="plot">{plot.svg()}</figure>' for plot in found))


def _grid(kind: str, content: Iterable[str]) -> str:
    return f'<div class="{kind}">{"".join(content)}</div>'

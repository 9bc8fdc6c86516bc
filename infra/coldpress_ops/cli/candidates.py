"""What the press tried, as a table for people."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.console import Console

    from coldpress_build.press.press import Candidate, Pressed


def show_candidates(pressed: "Pressed", console: "Console") -> None:
    """Sizes, points and times side by side, then why the others were not taken."""
    from rich.table import Table

    table = Table(box=None, pad_edge=False)
    table.add_column("candidate")
    for head in ("bytes", "size", "points", "loss", "request", "opening"):
        table.add_column(head, justify="right")
    table.add_column("")
    for one in pressed.candidates:
        if one.figures is not None:
            table.add_row(one.name, *_figures(one, pressed), _verdict(one, pressed))
    console.print(table)
    for one in pressed.candidates:
        if one.reason:
            console.print(f"{one.name}: {one.reason}", markup=False, soft_wrap=True)


def _figures(one: "Candidate", pressed: "Pressed") -> list[str]:
    figures = one.figures
    if figures is None:
        return []
    loss = "" if figures.loss is None else f"{figures.loss.points:.2f}, at most {figures.loss.high:.2f}"
    return [
        f"{figures.bytes:,}",
        f"{figures.bytes / pressed.original.bytes:.2f}",
        f"{figures.answers.score:.2f}",
        loss,
        f"{figures.latency_ms:.3f} ms",
        f"{figures.open_ms:.1f} ms",
    ]


def _verdict(one: "Candidate", pressed: "Pressed") -> str:
    if one.name == pressed.winner:
        return "taken" + (", batch sensitive" if one.batch_sensitive else "")
    return "passes" if one.passed else "fails"

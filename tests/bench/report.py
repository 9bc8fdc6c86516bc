"""The figures as a table for people, as JSON for programs."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from coldpress_build.files import write_atomic

from .catalogue import BY_ID, Figure


def print_table(figures: list[Figure], described: dict[str, Any], console: Console) -> None:
    """One line a figure; red where the floor is not broken."""
    title = ", ".join(f"{name.replace('_', ' ')}: {value}" for name, value in described.items())
    table = Table(title=title, title_justify="left", title_style="dim")
    for heading in ("id", "what, and against what"):
        table.add_column(heading, overflow="fold")
    for heading in ("ours", "peer", "ratio", "floor", "runs"):
        table.add_column(heading, justify="right", no_wrap=True)
    for figure in figures:
        row = BY_ID[figure.id]
        limit = f"{'>=' if row.at_least else '<='} {row.limit:g}"
        table.add_row(
            figure.id,
            row.title,
            f"{_short(figure.ours)} {row.unit}",
            f"{_short(figure.peer)} {row.unit}",
            f"{figure.ratio:.3f}",
            limit + (f" {row.unit}" if row.absolute else ""),
            str(figure.runs),
            style="" if figure.holds else "red",
        )
    console.print(table)


def _short(value: float) -> str:
    return f"{value:.0f}" if value >= 100 or value == int(value) else f"{value:.3g}"


def write_json(figures: list[Figure], described: dict[str, Any], path: Path) -> None:
    """`{"machine": …, "rows": [{"id", "ours", "peer", "ratio", "unit", "runs"}]}`."""
    rows = [
        {
            name: round(value, 4) if isinstance(value, float) else value
            for name, value in asdict(figure).items()
        }
        | {"ratio": round(figure.ratio, 4), "unit": BY_ID[figure.id].unit}
        for figure in figures
    ]
    write_atomic(path, json.dumps({"machine": described, "rows": rows}, indent=1) + "\n")

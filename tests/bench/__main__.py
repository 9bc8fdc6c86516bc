"""The benchmark: ours and the peers side by side in one run. See `python -m tests.bench --help`."""

import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from . import machine, packages, plot, report, world
from .catalogue import BY_ID, QUICK, RECIPES, Figure
from .plan import QUICK as QUICK_RUNS
from .plan import Note, Plan, Runs

WIDTH = 160
"""Characters, for a log."""
BENCH_JSON = Path(".coldpress") / "bench.json"


def bench(
    quick: Annotated[bool, typer.Option(help="The small MLP only, twice: does the benchmark work?")] = False,
    only: Annotated[list[str] | None, typer.Option(help="A row's id; may be given several times.")] = None,
    output: Annotated[
        Path, typer.Option(help="Where the figures go, as JSON; and beside it as a PNG.")
    ] = BENCH_JSON,
) -> None:
    """Measures cold and warm requests, loading, sizes, training and the press; and what others do."""
    wanted = set(only or (QUICK if quick else BY_ID))
    if unknown := sorted(wanted - set(BY_ID)):
        raise typer.BadParameter(f"no row {unknown[0]!r}; the rows are {', '.join(BY_ID)}")
    console = Console()
    if not console.is_terminal:
        console.width = WIDTH
    described = machine.described(platform.python_version())
    figures: list[Figure] = []
    began = time.monotonic()
    with console.status("preparing") as status:

        def note(text: str) -> None:
            seconds = time.monotonic() - began
            if text.startswith("skipped"):
                console.print(text)
            elif text:
                status.update(f"{text} ({seconds:.0f} s)")

        for figure in _measured(wanted, note, quick=quick):
            figures.append(figure)
            console.print(f"{figure.id}: {figure.ratio:.3f}")
    report.print_table(figures, described, console)
    report.write_json(figures, described, output)
    plot.draw(output, output.with_suffix(".png"))
    held = sum(figure.holds for figure in figures)
    console.print(
        f"{held} of {len(figures)} floors are broken, in {time.monotonic() - began:.0f} s; {output}"
    )


def _measured(wanted: set[str], note: Note, *, quick: bool) -> Iterator[Figure]:
    if wanted - RECIPES:
        note("building the package (the first time also installing the peers)")
        package = packages.ours()
        names = ["mlp"] if quick else sorted(_models_of(wanted))
        with world.running(names, packages.cache(), note) as running:
            yield from Plan(running, package, wanted, QUICK_RUNS if quick else Runs(), note).figures()
    if wanted & RECIPES:
        from . import recipes  # torch takes seconds, and this process starts the cold ones

        yield from recipes.figures(wanted, note)


def _models_of(wanted: set[str]) -> set[str]:
    if "answers_identical" in wanted:
        return {"mlp", "text", "conv", "bert"}
    return {"mlp"} | {name for name in ("text", "conv", "bert") for row in wanted if f"_{name}_" in f"{row}_"}


if __name__ == "__main__":
    typer.run(bench)

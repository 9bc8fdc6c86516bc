"""`coldpress train --cv --sweep --slice`: the options, and what they show."""

from collections.abc import Container, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coldpress.errors import InvalidRequest

if TYPE_CHECKING:
    from rich.console import Console

    from coldpress_build.evaluation.slices import Slice
    from coldpress_build.extras import Extras
    from coldpress_build.report.report import Training

SHOWN = 3
"""Trials on the terminal; the report has more."""
ON_TERMINAL = ("accuracy", "f1", "roc_auc", "r2", "mae")
"""Figures of folds there."""

NOT_IN_A_JOB = {
    "--out": "is for no job, which keeps its results beside its record",
    "--checkpoints": "is for no job, which keeps its checkpoints beside its record",
    "--resume": "is for no job, which goes on by itself when it was interrupted",
}
"""Why; of other options, that they run here only."""

Folds = Annotated[
    int,
    typer.Option(
        "--cv",
        metavar="K",
        help="First tell how good it is by K-fold cross-validation (5 is usual), then train as always.",
        show_default=False,
    ),
]
Trials = Annotated[
    int,
    typer.Option(
        "--sweep",
        metavar="N",
        help="First try N settings, then train with the best; what --set says stays. Stopped in the middle, "
        "the same command goes on.",
        show_default=False,
    ),
]
SliceBy = Annotated[
    list[str] | None,
    typer.Option(
        "--slice",
        metavar="COLUMN",
        help="Tell the figures for each value of this column too; may be repeated.",
        show_default=False,
    ),
]


def extras(folds: int, trials: int, slice_by: list[str] | None, settings: list[str], state: Path) -> "Extras":
    """What the options ask for; `settings` are those of --set, which a sweep leaves alone."""
    from coldpress_build.extras import Extras
    from coldpress_build.sweep import Plan

    fixed = {pair.partition("=")[0].strip().replace("-", "_") for pair in settings}
    plan = Plan(trials, state / "sweeps", fixed) if trials else None
    return Extras(folds, plan, tuple(slice_by or ()))


def only_here(given: Mapping[str, object]) -> None:
    """Raises `InvalidRequest` for an option, by its name, that a job does not take."""
    for option in (option for option, value in given.items() if value):
        reason = NOT_IN_A_JOB.get(option, "runs here only")
        raise InvalidRequest(f"{option} {reason}: leave out {option}, or --on")


def only_in_a_job(given: Mapping[str, object]) -> None:
    """Raises `InvalidRequest` for an option, by its name, that means nothing to a training here."""
    for option in (option for option, value in given.items() if value):
        raise InvalidRequest(f"{option} is for a job: leave it out, or add --on local or --on batch")


def show_extras(training: "Training", console: "Console") -> None:
    """The best trials, the folds, the slices."""
    if training.sweep is not None:
        found = training.sweep
        best = sorted((t for t in found.trials if t.state == "complete"), key=lambda trial: trial.loss or 0.0)
        rows = [[str(trial.number), f"{trial.loss:.4f}", trial.words] for trial in best[:SHOWN]]
        _table(console, ["trial", "validation loss", "settings"], rows, right=(0, 1))
    if training.cross_validation is not None:
        cross = training.cross_validation
        names = [name for name in ON_TERMINAL if name in cross.metrics]
        rows = [
            [str(fold.number), f"{fold.rows:,}", *_figures(fold.metrics, names), f"{fold.baseline:.4f}"]
            for fold in cross.folds
        ]
        rows.append(["mean", "", *(str(cross.metrics[name]) for name in names), str(cross.baseline_spread)])
        heads = ["fold", "rows", *names, f"baseline {cross.main}"]
        _table(console, heads, rows, right=range(1, len(heads)))
    if training.evaluation.slices:
        metric = training.evaluation.slice_metric
        rows = [
            [f"{one.column} = {one.value}", f"{one.rows:,}", f"{one.metric:.4f}", _remarks(one)]
            for one in training.evaluation.slices
        ]
        _table(console, ["slice", "rows", metric, ""], rows, right=(1, 2))


def _figures(metrics: Mapping[str, float], names: list[str]) -> list[str]:
    return [f"{metrics[name]:.4f}" for name in names]


def _remarks(one: "Slice") -> str:
    return ", ".join(["few rows"] * one.few + ["differs"] * one.differs)


def _table(console: "Console", heads: list[str], rows: list[list[str]], right: Container[int]) -> None:
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False)
    for place, head in enumerate(heads):
        number = place in right
        table.add_column(head, justify="right" if number else "left", no_wrap=number)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)

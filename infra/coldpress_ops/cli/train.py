"""`coldpress train`."""

from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coldpress_ops.cli.extras import (
    Folds,
    SliceBy,
    Trials,
    extras,
    only_here,
    only_in_a_job,
    show_extras,
)
from coldpress_ops.cli.options import DEFAULT_STATE, DEFAULT_URL, Json, Key, State, Url, connect, print_json
from coldpress_ops.cli.order import Follow, Gpus, Minutes, Nodes, On, Region, StageName, order_run
from coldpress_ops.cli.recipes import Config, Data, Recipe, Set, ShowSettings, Target, chosen, show_settings

if TYPE_CHECKING:
    from coldpress_build.result import RunResult


def train(
    recipe: Recipe,
    data: Data = None,
    target: Target = "",
    settings: Set = None,
    config: Config = None,
    list_settings: ShowSettings = False,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Where the run's folder goes; runs/ in the state folder.", show_default=False
        ),
    ] = None,
    folds: Folds = 0,
    trials: Trials = 0,
    slice_by: SliceBy = None,
    publish: Annotated[
        str,
        typer.Option(
            "--publish", metavar="NAME", help="Publish the result as this model.", show_default=False
        ),
    ] = "",
    resume: Annotated[
        bool,
        typer.Option(
            "--resume",
            help="Go on where a run of the same recipe, data and settings was interrupted; "
            "from the beginning if none was.",
        ),
    ] = False,
    checkpoints: Annotated[
        str,
        typer.Option(
            "--checkpoints",
            metavar="URL",
            help="Where checkpoints go, a folder or s3://bucket; checkpoints/ in the state folder.",
            show_default=False,
        ),
    ] = "",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="Print the result only.")] = False,
    json: Json = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    state: State = DEFAULT_STATE,
    on: On = None,
    follow: Follow = False,
    expected_minutes: Minutes = 0,
    nodes: Nodes = 1,
    gpus: Gpus = 0,
    stage: StageName = "dev",
    region: Region = None,
) -> None:
    """Train a model, export it to ONNX and press it.

    The run's folder gets the model before and after the press, the figures and a report. The press picks the
    smallest candidate that answers as well, as fast and the same in any batch; the original if there is none.

    A checkpoint is kept every minute until the run is done. SIGTERM ends it with one, and with status 75;
    --resume goes on from the last one, to the same model. Several processes: torchrun --nproc-per-node 2
    --no-python coldpress train RECIPE.

    Example: coldpress train tabular-mlp --data iris
    """
    from coldpress_build.training.stopping import interruptible

    # A job that was ordered goes on by itself.
    with nullcontext() if on else interruptible("the same command with --resume goes on"):
        # torch takes seconds to import: not for a name that is no recipe.
        from coldpress_build.config import override
        from coldpress_build.recipes import find

        kind = find(recipe).config
        if list_settings:
            return show_settings(kind)
        pairs = chosen(kind, config, target, settings)
        configured = override(kind, pairs)
        if publish:
            from coldpress.registry import check_name

            check_name(publish)  # before the training, not after
        if on:
            only_here(
                {
                    "--cv": folds,
                    "--sweep": trials,
                    "--slice": slice_by,
                    "--out": out,
                    "--checkpoints": checkpoints,
                    "--resume": resume,
                }
            )
            from coldpress_ops.jobs.orders import Order

            given = dict(pair.split("=", 1) for pair in pairs)
            order = Order(recipe, given, data or "", publish, nodes, gpus, expected_minutes)
            return order_run(order, on, state, stage, region, follow=follow, json=json)
        only_in_a_job(
            {
                "--nodes": nodes > 1,
                "--gpus": gpus,
                "--expected-minutes": expected_minutes,
                "--follow": follow,
            }
        )
        if publish:
            from coldpress_ops.publishing import check_deployment

            with connect(url, key, state) as client:
                check_deployment(client, publish)
        from coldpress_build.checkpoints import Checkpoints
        from coldpress_build.pipeline import run

        besides = extras(folds, trials, slice_by, pairs, state)
        kept = Checkpoints.at(checkpoints or state / "checkpoints", resume=resume)
        result = run(
            recipe,
            configured,
            out or state / "runs",
            data=data,
            checkpoints=kept,
            extras=besides,
            silent=quiet,
        )
    if json:
        print_json({"folder": str(result.folder), "model": str(result.model)} | result.metrics())
    else:
        _show(result)
    if publish:
        from coldpress_ops.publishing import publish_pressed

        with connect(url, key, state) as client:
            typer.echo(publish_pressed(client, publish, result.model, result.before), err=True)
    return None


def _show(result: "RunResult") -> None:
    from rich.console import Console
    from rich.table import Table

    counts = ", ".join(f"{count:,} {part}" for part, count in result.training.counts.items())
    table = Table(box=None, pad_edge=False)
    for head in ("model", f"test {result.metric}", "bytes"):
        table.add_column(head, justify="left" if head == "model" else "right")
    pressed = result.pressed
    table.add_row(f"pressed ({pressed.winner})", f"{result.score:.4f}", f"{result.bytes:,}")
    table.add_row("before the press", f"{result.original_score:.4f}", f"{result.original_bytes:,}")
    table.add_row(result.training.baseline.name, f"{result.baseline_score:.4f}", "")
    console = Console(highlight=False)
    console.print(f"{result.dataset}: {counts}", soft_wrap=True)
    console.print(table)
    show_extras(result.training, console)
    for candidate in pressed.candidates:
        if not candidate.passed and candidate.figures is not None:
            console.print(
                f"{candidate.name} failed the gate: {candidate.reason}", markup=False, soft_wrap=True
            )
    console.print(f"model   {result.model}\nreport  {result.report}", markup=False, soft_wrap=True)

"""`coldpress runs`: what was ordered with `train --on`, and what became of it."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from coldpress_ops.cli.failures import FAILED
from coldpress_ops.cli.options import DEFAULT_STATE, Json, Key, State, connect, print_json

if TYPE_CHECKING:
    from coldpress.runs import Run
    from coldpress_ops.jobs.backend import Runs

app = typer.Typer(
    short_help="Training runs: list, follow and stop them.\n$ coldpress runs --limit 5",
    invoke_without_command=True,
)

Url = Annotated[
    str,
    typer.Option(
        "--url", envvar="COLDPRESS_URL", show_default=False, help="A deployment; else the state folder."
    ),
]
Id = Annotated[str, typer.Argument(metavar="ID", help="As the list shows it.", show_default=False)]
LOCAL_PAUSE, REMOTE_PAUSE = 0.5, 3.0
STYLES = {"succeeded": "green", "failed": "red", "stopped": "yellow", "running": "cyan"}


@app.callback()
def list_runs(
    context: typer.Context,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="How many, newest first.")] = 20,
    json: Json = False,
    url: Url = "",
    key: Key = "",
    state: State = DEFAULT_STATE,
) -> None:
    """List training runs, newest first. Of the state folder; with --url, of a deployment.

    Example: coldpress runs --limit 5
    """
    if context.invoked_subcommand:
        return None
    with _runs(url, key, state) as found:
        newest = found.newest(limit)
    if json:
        return print_json([run._asdict() for run in newest])
    if not newest:
        return typer.echo("no runs yet; start one with: coldpress train RECIPE --on local", err=True)
    return _print_table(newest)


@app.command()
def show(run_id: Id, json: Json = False, url: Url = "", key: Key = "", state: State = DEFAULT_STATE) -> None:
    """Show one run: what was ordered, how it went, its figures.

    Example: coldpress runs show text-classifier-20261122-080000-1a2b3c4d
    """
    with _runs(url, key, state) as found:
        run = found.run(run_id)
    if json:
        return print_json(run._asdict())
    for name, value in run._asdict().items():
        if value not in ("", {}, None, False, 0):
            typer.echo(f"{name:9} {_shown(value)}")
    if run.metrics:
        where = f"{run.folder} in its bucket" if url else f"{state}/objects/{run.folder}"
        typer.echo(f"results   {where}: the model, its figures and report/index.html")
    return None


@app.command()
def logs(
    run_id: Id,
    follow: Annotated[bool, typer.Option("--follow", "-f", help="Stay until the run is over.")] = False,
    url: Url = "",
    key: Key = "",
    state: State = DEFAULT_STATE,
) -> None:
    """Print what a run has printed. With -f, the exit status is 1 when it did not succeed.

    Example: coldpress runs logs -f text-classifier-20261122-080000-1a2b3c4d
    """
    with _runs(url, key, state) as found:
        if follow:
            return follow_run(found, run_id, REMOTE_PAUSE if url else LOCAL_PAUSE)
        after = ""
        found.run(run_id)
        while (part := found.logs(run_id, after)).text:
            typer.echo(part.text, nl=False)
            after = part.next
    return None


@app.command()
def stop(run_id: Id, url: Url = "", key: Key = "", state: State = DEFAULT_STATE) -> None:
    """Stop a run. What it has learned so far stays as a checkpoint.

    Example: coldpress runs stop text-classifier-20261122-080000-1a2b3c4d
    """
    with _runs(url, key, state) as found:
        run = found.stop(run_id)
    words = "stopped" if run.is_over else "is asked to stop; it ends within 30 s"
    typer.echo(f"{run_id} {words}", err=True)


def follow_run(found: "Runs", run_id: str, pause: float) -> None:
    """Prints the log until the run is over. Raises `typer.Exit` when it did not succeed."""
    from coldpress_ops.jobs.backend import followed

    for text in followed(found, run_id, pause):
        typer.echo(text, nl=False)
    run = found.run(run_id)
    typer.echo(f"{run_id} {run.state}{': ' * bool(run.reason)}{run.reason}", err=True)
    if run.state != "succeeded":
        raise typer.Exit(FAILED)


@contextmanager
def _runs(url: str, key: str, state: Path) -> "Iterator[Runs]":
    from coldpress_ops.jobs.backend import LocalRuns, RemoteRuns

    if not url:
        yield LocalRuns(state)
        return
    with connect(url, key, state) as client:
        yield RemoteRuns(client)


def _print_table(newest: "list[Run]") -> None:
    from rich import box
    from rich.console import Console
    from rich.table import Table

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for column in ("run", "state", "on", "took", "publishes"):
        # Never cut nor folded: the one is copied into the next command, the other is a word.
        table.add_column(column, overflow="fold", no_wrap=column in ("run", "state"))
    for run in newest:
        state = f"{run.state} ({run.attempts} attempts)" if run.attempts > 1 else run.state
        style = STYLES.get(run.state)
        table.add_row(run.id, state, run.on, _took(run), run.publish or "-", style=style)
    Console(markup=False, highlight=False).print(table)


def _took(run: "Run") -> str:
    if not run.started or not run.ended:
        return "-"
    seconds = (datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.started)).total_seconds()
    return f"{seconds:.0f} s" if seconds < 120 else f"{seconds / 60:.0f} min"


def _shown(value: Any) -> str:
    if isinstance(value, dict):
        return "  ".join(f"{key} {_shown(item)}" for key, item in value.items())
    return f"{value:.4g}" if isinstance(value, float) else str(value)

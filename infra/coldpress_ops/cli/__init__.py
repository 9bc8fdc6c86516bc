"""The command line `coldpress`: one file per command or group of commands.

Nothing here may import what is slow at import time; commands do that when they run.
"""

import sys
from collections.abc import Callable
from inspect import cleandoc
from io import TextIOWrapper
from typing import Annotated, Any

import typer

from coldpress import __version__
from coldpress_ops.cli import (
    demo,
    deploy,
    destroy,
    doctor,
    keys,
    models,
    predict,
    press,
    publish,
    runs,
    train,
    up,
)
from coldpress_ops.cli.failures import Commands

app = typer.Typer(
    name="coldpress",
    cls=Commands,
    no_args_is_help=True,
    # One line an error; `--debug` shows Python's own traceback.
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)

SERVE = "Serve"
BUILD = "Build"
MODELS = "Models"
OPERATE = "Operate"


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"coldpress {__version__}")
        raise typer.Exit


@app.callback(epilog="Each command explains itself: coldpress COMMAND --help")
def _coldpress(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
) -> None:
    """Train on GPUs, press to ONNX, serve from cold functions."""


def _add(panel: str, command: Callable[..., Any]) -> None:
    """Adds a command; the list of all commands shows its first sentence and its example."""
    words = cleandoc(command.__doc__ or "")
    example = words.partition("Example: ")[2].partition("\n")[0]
    short = words.partition("\n")[0] + (f"\n$ {example}" if example else "")
    app.command(rich_help_panel=panel, short_help=short)(command)


for serving in (up.up, demo.demo):
    _add(SERVE, serving)
app.add_typer(keys.app, name="keys", rich_help_panel=SERVE)
for building in (train.train, press.press):
    _add(BUILD, building)
app.add_typer(runs.app, name="runs", rich_help_panel=BUILD)
for using in (
    publish.publish,
    predict.predict,
    models.models,
    models.show,
    models.promote,
    models.rollback,
    models.shadow,
):
    _add(MODELS, using)
for operating in (deploy.deploy, destroy.destroy, doctor.doctor):
    _add(OPERATE, operating)


def main() -> None:
    """The console script."""
    if isinstance(sys.stdout, TextIOWrapper):  # a terminal without some character gets another, no traceback
        sys.stdout.reconfigure(errors="replace")
    app()

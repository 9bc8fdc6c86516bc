"""`coldpress demo`."""

from typing import Annotated

import typer

from coldpress_ops.cli.options import DEFAULT_STATE, State


def demo(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port of its server; 0: a free one.")] = 0,
    state: State = DEFAULT_STATE,
) -> None:
    """Train, export, press, upload, ingest, serve and predict, in one go and with figures.

    Trains a sentiment classifier on movie reviews (downloaded once, by pinned hash), publishes it to a
    local server that the demo starts and stops itself, and asks it. What it leaves can be served on.

    Example: coldpress demo
    """
    # Training brings PyTorch along: no other command should wait for it.
    from rich.console import Console

    from coldpress_ops.demo import run, tell

    console = Console(highlight=False, soft_wrap=True)
    tell(run(state, port, console), state, console)

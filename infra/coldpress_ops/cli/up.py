"""`coldpress up`: the local server in the foreground."""

from typing import Annotated

import typer

from coldpress_ops.cli.options import DEFAULT_STATE, State


def up(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 picks a free one.")] = 8000,
    state: State = DEFAULT_STATE,
    host: Annotated[str, typer.Option(help="Address to listen on; 0.0.0.0 for all of them.")] = "127.0.0.1",
) -> None:
    """Serve template.yaml on this machine: no account, no containers.

    Prints one line "ready http://..." once it answers. Stop it with Ctrl-C; what it keeps survives that,
    and kill -9.

    Example: coldpress up --port 8080
    """
    # A web server and its parts: no other command should wait for these imports.
    import logging

    from coldpress_ops.local.server import serve
    from coldpress_ops.project import find_template

    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    serve(find_template(), state, host, port, typer.echo)

"""`coldpress up`: the local server in the foreground."""

from typing import Annotated

import typer

from coldpress_ops.cli.options import DEFAULT_STATE, State

CONTROL_PLANE = ("aws_lambda_powertools", "fastapi", "fastapi_offline", "mangum")
"""What functions/api imports; the core package does without."""


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
    from importlib.util import find_spec

    from coldpress_ops.local.server import serve
    from coldpress_ops.project import find_template

    for package in CONTROL_PLANE:
        if find_spec(package) is None:  # or the server would be ready, and fail each time it is asked
            raise ModuleNotFoundError(f"No module named {package!r}", name=package)
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(message)s")
    serve(find_template(), state, host, port, typer.echo)

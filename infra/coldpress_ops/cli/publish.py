"""`coldpress publish`."""

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from coldpress.registry import DEFAULT_ALIAS
from coldpress_ops.cli.options import (
    DEFAULT_STATE,
    DEFAULT_URL,
    Json,
    Key,
    Name,
    State,
    Url,
    connect,
    print_json,
)

if TYPE_CHECKING:
    from coldpress_ops.client import OnProgress, PublishResult


def publish(
    name: Name,
    file: Annotated[Path, typer.Argument(help="The ONNX file.", show_default=False)],
    alias: Annotated[
        str, typer.Option("--alias", help="The alias to point at it once it is ready; '' moves none.")
    ] = DEFAULT_ALIAS,
    wait: Annotated[bool, typer.Option(help="Stay until the file is checked and registered.")] = True,
    timeout: Annotated[
        float, typer.Option("--timeout", min=0, help="Seconds to stay; the upload goes on without.")
    ] = 900,
    arena: Annotated[
        bool, typer.Option(help="Keep a request's memory for the next one; --no-arena for ever new shapes.")
    ] = True,
    memory_pattern: Annotated[
        bool, typer.Option(help="Plan memory by a request's shapes; --no-memory-pattern for ever new ones.")
    ] = True,
    json: Json = False,
    url: Url = DEFAULT_URL,
    key: Key = "",
    state: State = DEFAULT_STATE,
) -> None:
    """Upload an ONNX file; it becomes a version of the model.

    Prints the version on stdout, or the reason of the refusal on stderr (exit status 1).
    With --no-wait, prints the upload's id instead.

    Example: coldpress publish sentiment model.onnx
    """
    session = {"arena": arena, "memory_pattern": memory_pattern}
    with connect(url, key, state) as client, ExitStack() as stack:
        result = client.publish(
            name,
            file,
            alias or None,
            wait=wait,
            wait_seconds=timeout,
            session={name: False for name, wanted in session.items() if not wanted},
            on_progress=_progress(stack, file.name),
        )
    if json:
        from dataclasses import asdict

        return print_json(asdict(result))
    typer.echo(_sentence(result, client.url), err=True)
    typer.echo(result.upload if result.version is None else result.version)
    return None


def _sentence(result: "PublishResult", url: str) -> str:
    size = f"{result.size / 1e6:.2f} MB, {result.seconds:.1f} s"
    if result.version is None:
        return f"uploaded {result.model} ({size}); what becomes of it: GET {url}/uploads/{result.upload}"
    moved = f", {result.alias} points at it" if result.alias else ""
    return f"{result.model} version {result.version} is ready{moved} ({size})"


def _progress(stack: ExitStack, filename: str) -> "OnProgress | None":
    """A progress bar on stderr while the stack is open; none where nobody watches."""
    from rich.console import Console

    console = Console(stderr=True)
    if not console.is_terminal:
        return None
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    columns = TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn()
    bar = stack.enter_context(Progress(*columns, console=console, transient=True))
    task = bar.add_task("uploading", total=None)

    def show(state: str, sent: int, size: int) -> None:
        what = f"uploading {filename}" if state == "uploading" else f"{state} …"
        bar.update(task, description=what, completed=sent, total=size)

    return show

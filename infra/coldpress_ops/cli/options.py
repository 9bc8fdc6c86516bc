"""Options that several commands share."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from coldpress_ops.client import Client

DEFAULT_URL = "http://127.0.0.1:8000"
DEFAULT_STATE = Path(".coldpress")
KEY_FILE = "key"
"""Below the state folder: the local server's first key."""

Url = Annotated[str, typer.Option("--url", envvar="COLDPRESS_URL", help="The deployment to talk to.")]
Key = Annotated[
    str,
    typer.Option(
        "--key",
        envvar="COLDPRESS_API_KEY",
        show_default=False,
        help="The API key; for a server on this machine, the one in its state folder is found by itself.",
    ),
]
State = Annotated[
    Path, typer.Option("--state", envvar="COLDPRESS_STATE", help="The local server's state folder.")
]
Name = Annotated[str, typer.Argument(help="The model.", show_default=False)]
Json = Annotated[bool, typer.Option("--json", help="Print JSON, for scripts.")]


def connect(url: str, key: str, state: Path) -> "Client":
    """A client of the deployment that the options name."""
    # httpx takes 100 ms to import: only commands that talk to a server pay for it.
    from coldpress_ops.client import Client
    from coldpress_ops.transport import is_local

    file = state / KEY_FILE
    if not key and is_local(url) and file.is_file():
        key = file.read_text().strip()
    return Client(url, key)


def print_json(value: Any) -> None:
    """To stdout."""
    typer.echo(json.dumps(value, ensure_ascii=False, indent=2))

"""`coldpress keys`: API keys, straight in the store that they open."""

import os
import time
from pathlib import Path
from typing import Annotated

import typer

from coldpress.errors import ColdpressError
from coldpress.store import Store
from coldpress_ops.cli.options import DEFAULT_STATE, Json, print_json

app = typer.Typer(
    help="API keys: make, list and revoke them, straight in the store.",
    short_help="API keys: make, list and revoke them.\n$ coldpress keys create --models 'sentiment-*'",
    no_args_is_help=True,
)

StateDir = Annotated[
    Path | None,
    typer.Option(
        "--state", help=f"The local server's state folder (default: $COLDPRESS_STATE, else {DEFAULT_STATE})."
    ),
]
StoreUrl = Annotated[
    str, typer.Option("--store", envvar="COLDPRESS_STORE", help="Or a store's URL, such as s3://my-bucket.")
]
DAY_SECONDS = 86_400


@app.command()
def create(
    admin: Annotated[bool, typer.Option("--admin", help="May do everything.")] = False,
    read: Annotated[bool, typer.Option("--read", help="May look at models and uploads.")] = False,
    models: Annotated[
        list[str] | None,
        typer.Option("--models", metavar="GLOB", help="May ask these models, such as 'sentiment-*'."),
    ] = None,
    days: Annotated[int | None, typer.Option("--days", min=1, help="Expires after so many days.")] = None,
    json: Json = False,
    state: StateDir = None,
    store: StoreUrl = "",
) -> None:
    """Make a key and print it, this once. Without options it may ask all models.

    Example: coldpress keys create --models 'sentiment-*' --days 90
    """
    from coldpress.access import create_key
    from coldpress.probe import probe

    scopes = [scope for scope, wanted in (("admin", admin), ("read", read)) if wanted]
    scopes += [f"predict:{glob}" for glob in models or ([] if scopes else ["*"])]
    expires = time.time() + days * DAY_SECONDS if days else 0
    opened = _store(state, store, make=True)
    # A deployment begins with its first key: better told now than when versions are lost.
    probe(opened)
    key, caller = create_key(opened, tuple(scopes), expires)
    if json:
        return print_json({"key": key} | caller._asdict())
    typer.echo(f"{caller.id}: {', '.join(caller.scopes)}, expires {_day(caller.expires)}", err=True)
    return typer.echo(key)


@app.command("list")
def list_keys(json: Json = False, state: StateDir = None, store: StoreUrl = "") -> None:
    """List the keys' ids, scopes and ends. The keys themselves are stored nowhere.

    Example: coldpress keys list --store s3://my-bucket
    """
    from coldpress import access

    callers = access.list_keys(_store(state, store))
    if json:
        return print_json([caller._asdict() for caller in callers])
    for caller in callers:
        typer.echo(f"{caller.id}  {_day(caller.expires):10}  {', '.join(caller.scopes)}")
    return None


@app.command()
def revoke(
    key_id: Annotated[str, typer.Argument(metavar="ID", help="As the list shows it.", show_default=False)],
    state: StateDir = None,
    store: StoreUrl = "",
) -> None:
    """Revoke a key. Running functions refuse it within a minute.

    Example: coldpress keys revoke key-1a2b3c4d
    """
    from coldpress.access import revoke_key

    revoke_key(_store(state, store), key_id)
    typer.echo(f"revoked {key_id}", err=True)


def _store(state: Path | None, url: str, *, make: bool = False) -> Store:
    """The store that the options name. Only a new key may make a folder: a typing error must not."""
    if url and state:
        raise typer.BadParameter(f"give --state or --store, not both (the store is {url})")
    if url:
        return Store(url)
    # Not the option's own variable: then it would contradict a store, instead of giving way to it.
    folder = (state or Path(os.environ.get("COLDPRESS_STATE") or DEFAULT_STATE)).absolute()
    if not make and not (folder / "objects").is_dir():
        raise ColdpressError(f"{folder} holds no store; give --state DIR or --store URL")
    return Store(f"file://{folder}/objects")


def _day(expires: float) -> str:
    return time.strftime("%Y-%m-%d", time.gmtime(expires)) if expires else "never"

"""`coldpress up`."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
from obstore.store import LocalStore

from coldpress_ops import serverprocess

from .deployment import Deployment, Objects, client
from .differences import LOCAL


@contextmanager
def running(folder: Path) -> Iterator[Deployment]:
    with serverprocess.running(folder) as server, client(server.url, server.key) as http:
        yield at(server, http)


def at(server: serverprocess.ServerProcess, http: httpx.Client) -> Deployment:
    """A local server as a deployment."""
    folder = server.state / "objects"
    return Deployment(
        server.url, server.key, Objects(LocalStore(folder)), http, f"file://{folder}", differs=LOCAL
    )

"""An S3 server with the benchmark's models in it, published as a user would publish them."""

import contextlib
import hashlib
import io
import json
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from coldpress import access
from coldpress.ingest.ingest import Ingest
from coldpress.settings import Settings
from coldpress.store import Store

from ..support import seaweedfs
from .models import BenchModel, made

MEMORY_MB = 1769
"""One full vCPU on Lambda, the template's default; so ONNX Runtime gets one thread, as the peers' does."""
MEMORY_OF = {"bert": 3008}


@dataclass(frozen=True)
class World:
    """Where everything is."""

    endpoint: str
    url: str
    key: str
    """An API key."""
    models: dict[str, BenchModel]

    @property
    def bucket(self) -> str:
        """The bucket's name."""
        return self.url.removeprefix("s3://")

    @property
    def variables(self) -> dict[str, str]:
        """What a function needs to reach the server."""
        return seaweedfs.variables(self.endpoint)

    def read_all(self, name: str) -> None:
        """Reads what a cold request for a model reads: the server shall not be what is cold."""
        store = Store(self.url)
        manifest = json.loads(store.get(f"models/{name}/aliases/prod.json").data)["routes"][0]["manifest"]
        store.get(f"keys/{hashlib.sha256(self.key.encode()).hexdigest()}.json")
        for artifact in manifest["artifacts"]:
            store.fetch(artifact["key"], artifact["size"])
        store.fetch(raw_key(name), self.models[name].path.stat().st_size)


def raw_key(name: str) -> str:
    """Where the peers find the model as it was exported."""
    return f"raw/{name}.onnx"


@contextlib.contextmanager
def running(names: list[str], cache: Path, note: Callable[[str], None]) -> Iterator[World]:
    """A server for the length of a `with` block, with the models `names` published through ingest."""
    models = {name: made(name, cache / "models") for name in names}
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="coldpress-bench-")))
        endpoint = stack.enter_context(seaweedfs.running(folder))
        stack.enter_context(_environment(seaweedfs.variables(endpoint)))
        url = seaweedfs.new_bucket(endpoint)
        store = Store(url)
        for name, model in models.items():
            note(f"publishing {name}")
            store.upload(raw_key(name), str(model.path))
            _publish(store, url, name, model)
        key, _ = access.create_key(store, ("predict:*",))
        yield World(endpoint, url, key, models)


def _publish(store: Store, url: str, name: str, model: BenchModel) -> None:
    key = f"incoming/{name}/{name}.onnx"
    store.upload(key, str(model.path))
    with contextlib.redirect_stdout(io.StringIO()):
        outcome = Ingest(Settings(store=url, memory_mb=MEMORY_OF.get(name, MEMORY_MB)))(key)
    if outcome["outcome"] != "ready":
        raise RuntimeError(f"{name} was not published: {outcome}")


@contextlib.contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)

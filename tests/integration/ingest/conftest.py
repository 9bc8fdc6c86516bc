"""A store in a folder, models as text, and the ingest function."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import pytest
from onnx import parser

from coldpress.errors import NotFound
from coldpress.ingest.ingest import Ingest
from coldpress.ingest.scratch import sweep
from coldpress.registry import Alias, Manifest, Registry
from coldpress.settings import Settings
from coldpress.store import Store
from coldpress.uploads import Upload, new_upload, state_of

HEADER = '<ir_version: 10, opset_import: ["" : 20, "ai.onnx.ml" : 3]>'
SCALE = HEADER + " g (float[n,4] x) => (float[n,4] y) { two = Constant<value_float=2.0>() y = Mul (x, two) }"


def model(text: str = SCALE, **metadata: str) -> bytes:
    """The bytes of a model in ONNX's text form. Metadata `coldpress_labels` is `coldpress.labels`."""
    parsed = parser.parse_model(text)
    onnx.helper.set_model_props(parsed, {key.replace("_", ".", 1): v for key, v in metadata.items()})
    return bytes(parsed.SerializeToString())


class World(NamedTuple):
    """A store, and an ingest function on it."""

    store: Store
    ingest: Ingest
    folder: Path
    scratch: Path
    """Where temporary files go."""

    def upload(self, data: bytes, name: str = "m", alias: str | None = "prod") -> Upload:
        """Opens an upload and puts its file."""
        upload = new_upload(self.store, name, "model.onnx", alias)
        self.store.overwrite(upload.key, data)
        return upload

    def put(self, data: bytes, name: str = "m", alias: str | None = "prod") -> dict[str, Any]:
        """Uploads and ingests."""
        return self.ingest(self.upload(data, name, alias).key)

    def manifest(self, version: int = 1, name: str = "m") -> Manifest:
        return Registry(self.store).manifest(name, version)

    def alias(self, name: str = "m") -> Alias:
        return Registry(self.store).alias(name)

    def versions(self, name: str = "m") -> list[int]:
        try:
            return Registry(self.store).versions(name)
        except NotFound:
            return []

    def state(self, upload: Upload) -> dict[str, Any]:
        return state_of(self.store, upload.id)

    def rejection(self, upload: Upload) -> dict[str, Any]:
        told: dict[str, Any] = json.loads(self.store.get(upload.rejection_key).data)
        return told


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(scratch))
    url = f"file://{tmp_path / 'store'}"
    yield World(Store(url), Ingest(Settings(store=url)), tmp_path / "store", scratch)
    sweep()
    assert list(scratch.iterdir()) == [], "temporary files are left over"


@pytest.fixture
def build() -> Callable[..., bytes]:
    return model

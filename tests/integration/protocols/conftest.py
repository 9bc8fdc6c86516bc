"""The data plane in this process: real models in a folder, API Gateway's events in and out."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import onnx
import pytest
from onnx import parser

from coldpress import ort
from coldpress.access import create_key
from coldpress.ingest import graph
from coldpress.registry import Artifact, Manifest, Registry, TensorInfo
from coldpress.serving import DataPlane
from coldpress.settings import Settings
from coldpress.store import Store

HEADER = '<ir_version: 10, opset_import: ["" : 21, "ai.onnx.ml" : 3]>'


def model(text: str) -> bytes:
    """The bytes of a model in ONNX's text form."""
    return bytes(parser.parse_model(HEADER + text).SerializeToString())


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class World:
    """A store in a folder, and the data plane on it."""

    def __init__(self, folder: Path, **settings: Any) -> None:
        self.store = Store(f"file://{folder}")
        self.registry = Registry(self.store)
        self.key, _ = create_key(self.store, ("admin",))
        self.plane = DataPlane(Settings(store=self.store.url, **settings))

    def add(
        self, name: str, data: bytes, labels: Sequence[str] = (), version: int = 1, alias: str = "prod"
    ) -> Manifest:
        """Registers a version as ingest does, but without its trial."""
        key = f"models/{name}/versions/{version}/model.onnx"
        self.store.create(key, data)
        artifact = Artifact(key, len(data), hashlib.sha256(data).hexdigest(), "onnx", optimised=False)
        with ort.Session.open(ort.Library.open(ort.library_path()), data) as session:
            inputs = tuple(_info(spec) for spec in session.inputs)
            outputs = tuple(_info(part) for spec in session.outputs for part in spec.answered())
        manifest = Manifest(
            name, version, "", (artifact,), inputs, outputs, onnx.__version__, tuple(labels),
            refuses_empty=graph.scan(data).refuses_empty,
        )  # fmt: skip
        self.registry.add(manifest)
        self.registry.move(name, alias, {version: 1.0}, "")
        return manifest

    def ask(self, method: str, path: str, body: Any = b"", *, text: bool = False, **headers: str) -> Answer:
        """Sends a request; a body that is no bytes is sent as JSON. Headers by keyword, `_` for `-`.

        The body travels as base64, or as text if asked to.
        """
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        event = {
            "version": "2.0",
            "rawPath": path,
            "headers": {"x-api-key": self.key} | {k.replace("_", "-"): v for k, v in headers.items()},
            "requestContext": {"http": {"method": method, "path": path}, "stage": "$default"},
            "body": sent.decode() if text else base64.b64encode(sent).decode(),
            "isBase64Encoded": not text,
        }
        answer = json.loads(json.dumps(self.plane.answer(event)))
        body = answer["body"]
        received = base64.b64decode(body, validate=True) if answer["isBase64Encoded"] else body.encode()
        return Answer(answer["statusCode"], answer["headers"], received)

    def infer(self, name: str, body: Any, **headers: str) -> Answer:
        return self.ask("POST", f"/v2/models/{name}/infer", body, **headers)


def _info(spec: ort.TensorSpec) -> TensorInfo:
    return TensorInfo(spec.name, spec.datatype, spec.shape)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(tmp_path_factory.mktemp("store"))


@pytest.fixture
def worlds(tmp_path: Path) -> Callable[..., World]:
    """World with settings of its own."""
    return lambda **settings: World(tmp_path, **settings)


@pytest.fixture(autouse=True)
def _quiet(capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    """The data plane writes a line for each request."""
    yield
    capsys.readouterr()

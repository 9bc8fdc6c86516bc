"""The real handler of functions/api on a folder, called with literal API Gateway events."""

import importlib.util
import io
import json
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from coldpress import access
from coldpress.registry import Artifact, Manifest, Registry, TensorInfo
from coldpress.store import Store

FUNCTION = Path(__file__).parents[3] / "functions" / "api"

# As an HTTP API sends it, payload format 2.0.
EVENT: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "ANY /models/{proxy+}",
    "rawPath": "/models",
    "rawQueryString": "",
    "headers": {
        "accept": "*/*",
        "content-length": "0",
        "host": "abcdef1234.execute-api.eu-central-1.amazonaws.com",
        "user-agent": "curl/8.5.0",
        "x-amzn-trace-id": "Root=1-6735d2a1-2f4ed4ba0c9bd5df1d5f4a31",
        "x-forwarded-for": "203.0.113.7",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    },
    "requestContext": {
        "accountId": "123456789012",
        "apiId": "abcdef1234",
        "domainName": "abcdef1234.execute-api.eu-central-1.amazonaws.com",
        "domainPrefix": "abcdef1234",
        "http": {
            "method": "GET",
            "path": "/models",
            "protocol": "HTTP/1.1",
            "sourceIp": "203.0.113.7",
            "userAgent": "curl/8.5.0",
        },
        "requestId": "BXqYKhCfliAEPhA=",
        "routeKey": "ANY /models/{proxy+}",
        "stage": "$default",
        "time": "14/Nov/2026:10:33:05 +0000",
        "timeEpoch": 1794652385000,
    },
    "isBase64Encoded": False,
}


class Answer(NamedTuple):
    status: int
    headers: dict[str, str]
    body: str

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class Api:
    """A deployment of the control plane, with its store and a key of each kind."""

    def __init__(self, store_url: str) -> None:
        self.module = load("app.py")
        self.store = Store(store_url)
        self.registry = Registry(self.store)
        self.admin, _ = access.create_key(self.store, ("admin",))
        self.reader, _ = access.create_key(self.store, ("read",))
        self.predictor, _ = access.create_key(self.store, ("predict:*",))

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        key: str | None = "admin",
        headers: dict[str, str] | None = None,
        stage: str = "$default",
        authorizer: dict[str, Any] | None = None,
    ) -> Answer:
        """One event through the handler; `body` is sent as JSON unless it is text already."""
        given = {"x-api-key": getattr(self, key)} if key else {}
        event = EVENT | {
            "rawPath": path,
            "headers": EVENT["headers"] | given | (headers or {}),
            "requestContext": EVENT["requestContext"]
            | {
                "stage": stage,
                "http": EVENT["requestContext"]["http"] | {"method": method, "path": path},
            }
            | ({"authorizer": authorizer} if authorizer else {}),
        }
        if body is not None:
            event["body"] = body if isinstance(body, str) else json.dumps(body)
        answer = self.module.handler(event, None)
        # API Gateway takes JSON only.
        answer = json.loads(json.dumps(answer))
        return Answer(answer["statusCode"], answer["headers"], answer["body"])


def load(name: str) -> Any:
    """A fresh copy of a function's module: several functions have an `app.py`."""
    spec = importlib.util.spec_from_file_location("functions_api_app", FUNCTION / name)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(autouse=True)
def _importable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(str(FUNCTION))


@pytest.fixture
def make_api(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Api]]:
    """Starts the control plane on a folder, or with other settings (`store=…`, `base_path=…`)."""

    def make(**settings: object) -> Api:
        values = {"store": f"file://{tmp_path}/objects", "upload_secret": "a secret"} | settings
        for name, value in values.items():
            monkeypatch.setenv(f"COLDPRESS_{name.upper()}", str(value))
        return Api(str(values["store"]))

    yield make
    sys.modules.pop("functions_api_app", None)


@pytest.fixture
def api(make_api: Callable[..., Api]) -> Api:
    return make_api()


def manifest(model: str, version: int, **changes: Any) -> Manifest:
    """A version as ingest registers it."""
    folder = f"models/{model}/versions/{version}"
    base = Manifest(
        model=model,
        version=version,
        created=f"2026-11-14T10:33:0{version}.000+00:00",
        artifacts=(
            Artifact(f"{folder}/model.ort", 1000 + version, "aa" * 32, "ort", True, ("avx2",)),
            Artifact(f"{folder}/model.onnx", 900 + version, "bb" * 32, "onnx", False),
        ),
        inputs=(TensorInfo("text", "BYTES", (-1, 1)),),
        outputs=(TensorInfo("scores", "FP32", (-1, 2)),),
        runtime="1.31.1",
        labels=("negative", "positive"),
        warmup={"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1, 1], "data": ["a good film"]}]},
        metadata={"coldpress.metrics": '{"accuracy": 0.79}', "coldpress.recipe": "sentiment"},
        source={"id": f"{model}.{version}", "key": f"incoming/{model}/{version}/model.onnx", "size": 900},
    )
    return base._replace(**changes)


@pytest.fixture
def register(api: Api) -> Callable[..., Manifest]:
    """Registers a version, and points `prod` at it when `prod=True`."""

    def add(model: str, version: int, *, prod: bool = False, **changes: Any) -> Manifest:
        made = manifest(model, version, **changes)
        api.registry.add(made)
        if prod:
            api.registry.move(model, "prod", {version: 1.0}, f"2026-11-14T11:00:0{version}.000+00:00")
        return made

    return add


@pytest.fixture
def logged(_importable: None) -> Callable[[], list[dict[str, Any]]]:
    """What the function has logged since, apart from metrics."""
    from control.telemetry import logger

    stream = io.StringIO()
    for handler in logger.handlers:
        assert isinstance(handler, logging.StreamHandler)
        handler.setStream(stream)
    return lambda: [json.loads(line) for line in stream.getvalue().splitlines()]


@pytest.fixture
def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

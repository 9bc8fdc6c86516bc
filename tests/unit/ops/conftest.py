"""The real control plane behind a real HTTP server, with as much around it as the client needs."""

import importlib.util
import json
import socket
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route

from coldpress import access, errors, uploads
from coldpress.registry import Artifact, Manifest, Registry, TensorInfo
from coldpress.store import Store

FUNCTION = Path(__file__).parents[3] / "functions" / "api"
SECRET = "a secret"


def manifest(model: str, version: int) -> Manifest:
    """A version as ingest registers it."""
    return Manifest(
        model=model,
        version=version,
        created=f"2026-11-14T10:33:0{version % 10}.000+00:00",
        artifacts=(Artifact(f"models/{model}/versions/{version}/model.ort", 2_000, "aa" * 32, "ort", True),),
        inputs=(TensorInfo("text", "BYTES", (-1, 1)),),
        outputs=(TensorInfo("scores", "FP32", (-1, 2)),),
        runtime="1.31.1",
        labels=("negative", "positive"),
        metadata={"coldpress.metrics": '{"accuracy": 0.79}'},
    )


class Deployment:
    """The control plane, the signed upload route, an ingest that judges by content, and an echo of
    predictions: what the client sent is what it gets.
    """

    def __init__(self, folder: Path) -> None:
        self.url = ""
        self.store = Store(f"file://{folder}/objects")
        self.registry = Registry(self.store)
        self.admin, _ = access.create_key(self.store, ("admin",))
        self.reader, _ = access.create_key(self.store, ("read",))
        self.uploaded: list[tuple[str, bytes, dict[str, str]]] = []
        self.predictions: list[dict[str, Any]] = []
        self.answers: list[Response] = []
        """Answers that are given first, instead of the real ones."""

    def register(self, model: str, *versions: int) -> None:
        """Makes versions; `prod` points at the last one."""
        for version in versions:
            self.registry.add(manifest(model, version))
        self.registry.move(model, "prod", {versions[-1]: 1.0}, "2026-11-14T12:00:00Z")

    async def put(self, request: Request) -> Response:
        key = request.path_params["key"]
        query = request.query_params
        try:
            uploads.verify_upload(SECRET, key, query["expires"], query["signature"], 0)
        except errors.Forbidden as error:
            return Response(errors.body_of(error), 403)
        if self.answers:
            return self.answers.pop(0)
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=400)
        self.uploaded.append((key, body, dict(request.headers)))
        self.store.overwrite(key, body)
        # A little later, as an event would come.
        threading.Timer(0.1, self.ingest, (key, body)).start()
        return Response(status_code=200)

    def ingest(self, key: str, body: bytes) -> None:
        upload = uploads.upload_of(self.store, key)
        if body.startswith(b"slow"):
            return
        progress: dict[str, Any] = {"state": "rejected", "reason": "model.onnx is no ONNX file"}
        if body.startswith(b"trouble"):
            progress = {"state": "checking", "error": "S3 is down", "tries": int(body[-1:])}
        if body.startswith(b"good"):
            version = len(self.store.folders(f"models/{upload.model}/versions")) + 1
            self.registry.add(manifest(upload.model, version))
            if upload.alias:
                self.registry.move(upload.model, upload.alias, {version: 1.0}, "2026-11-14T12:00:00Z")
            progress = {"state": "ready", "version": version}
        self.store.overwrite(upload.progress_key, json.dumps(progress).encode())

    async def predict(self, request: Request) -> Response:
        sent = {
            "path": request.url.path,
            "type": request.headers.get("content-type"),
            "body": (await request.body()).decode("latin-1"),
        }
        self.predictions.append(sent)
        if self.answers:
            return self.answers.pop(0)
        return JSONResponse({"predictions": [sent]})


@pytest.fixture
def deployment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Deployment]:
    """A server on a free port."""
    made = Deployment(tmp_path / "state")
    monkeypatch.syspath_prepend(str(FUNCTION))
    for name in ("URL", "API_KEY", "STATE", "STORE"):
        monkeypatch.delenv(f"COLDPRESS_{name}", raising=False)
    with monkeypatch.context() as environment:
        environment.setenv("COLDPRESS_STORE", made.store.url)
        environment.setenv("COLDPRESS_UPLOAD_SECRET", SECRET)
        environment.setenv("COLDPRESS_MAX_MODEL_BYTES", "1000000")
        environment.setenv("COLDPRESS_SHADOW", "on")
        spec = importlib.util.spec_from_file_location("functions_api_app", FUNCTION / "app.py")
        assert spec
        assert spec.loader
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)

    # The function's lines of metrics would mix with what the command line prints in this process.
    provider = sys.modules["control.telemetry"].metrics.provider
    monkeypatch.setattr(provider, "flush_metrics", lambda **_: provider.clear_metrics())

    around = Starlette(
        routes=[
            Route("/uploads/files/{key:path}", made.put, methods=["PUT"]),
            Route("/models/{what:path}/predict", made.predict, methods=["POST"]),
            Mount("/", module.app),
        ]
    )
    config = uvicorn.Config(around, port=0, lifespan="off", log_level="error", ws="none")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run, daemon=True)
    thread.start()
    while not server.started:
        thread.join(0.01)
        assert thread.is_alive()
    port = server.servers[0].sockets[0].getsockname()[1]
    made.url = f"http://127.0.0.1:{port}"
    yield made
    server.should_exit = True
    thread.join()


@pytest.fixture
def onnx_file(tmp_path: Path) -> Path:
    """A file that the deployment's ingest takes."""
    file = tmp_path / "model.onnx"
    file.write_bytes(b"good" + bytes(700_000))
    return file


@pytest.fixture
def free_port() -> int:
    """A port where nobody listens."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])

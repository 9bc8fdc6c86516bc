"""The cold path: what it waits for and what it imports."""

import base64
import importlib.util
import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import onnxruntime
import pytest

from coldpress.store import Store

from .conftest import NOW, Plane, constant

REPOSITORY = Path(__file__).parents[3]


class Watched:
    """Notes every call of a store's readers, and lets `gate` hold them up."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, gate: Callable[[str], None] = lambda _: None) -> None:
        self.calls: list[str] = []
        for name in ("get", "get_if_changed", "head", "walk", "folders", "fetch"):
            monkeypatch.setattr(Store, name, self._watched(getattr(Store, name), name, gate))

    def _watched(
        self, method: Callable[..., Any], name: str, gate: Callable[[str], None]
    ) -> Callable[..., Any]:
        def call(store: Store, key: str, *more: Any) -> Any:
            call_name = f"{name} {key.partition('/')[0] if key.startswith('keys/') else key}"
            self.calls.append(call_name)
            gate(call_name)
            return method(store, key, *more)

        return call


@pytest.mark.parametrize("inline", ["", base64.b64encode(constant(1)).decode()])
@pytest.mark.parametrize("path", ["/models/m/predict", "/models/m/versions/1/predict", "/v2/models/m/ready"])
def test_a_cold_request_waits_twice_for_the_store_and_once_for_a_small_model(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, path: str, inline: str
) -> None:
    plane.publish("m", 1, constant(1), inline=inline)
    plane.restart()
    # The key and the alias must be asked for side by side: neither gets its answer before both are asked for.
    together = threading.Barrier(2, timeout=10)

    def gate(call: str) -> None:
        if call.startswith("get "):
            together.wait()

    watched = Watched(monkeypatch, gate)
    answer = plane.call("GET" if path.endswith("ready") else "POST", path, "[1]")
    assert (answer.status, answer.headers.get("x-model-version", "m/1")) == (200, "m/1")
    second = (
        "get models/m/versions/1/manifest.json" if "versions" in path else "get models/m/aliases/prod.json"
    )
    assert sorted(watched.calls[:2]) == ["get keys", second]
    # A small model is in its manifest, and so in the alias.
    assert watched.calls[2:] == ([] if inline else ["fetch models/m/versions/1/model-0.onnx"])


@pytest.mark.parametrize("inline", [base64.b64encode(constant(2)).decode(), "no base64", "AAAA"])
def test_a_model_in_its_manifest_is_not_trusted(plane: Plane, inline: str) -> None:
    plane.publish("m", 1, constant(1), inline=inline)
    assert plane.version() == 1


def test_a_warm_request_does_not_ask_the_store(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    plane.publish("m", 1, constant(1))
    plane.restart(alias_seconds=60.0)
    for path in ("m", "m/versions/1"):
        plane.version(path)
    watched = Watched(monkeypatch)
    for path in ("m", "m/versions/1", "m@prod"):
        assert plane.version(path) == 1
    assert watched.calls == []


def test_an_alias_that_has_not_changed_costs_one_short_question(
    plane: Plane, monkeypatch: pytest.MonkeyPatch
) -> None:
    plane.publish("m", 1, constant(1))
    plane.version()
    watched = Watched(monkeypatch)
    plane.version()
    assert watched.calls == ["get_if_changed models/m/aliases/prod.json"]


def test_a_moved_alias_brings_its_manifest_along(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    for version in (1, 2):
        plane.publish("m", version, constant(version), alias="")
    plane.registry.move("m", "prod", {1: 1}, NOW)
    plane.registry.move("m", "dev", {2: 1}, NOW)
    plane.version()
    watched = Watched(monkeypatch)
    assert plane.version("m@dev") == 2
    assert watched.calls == ["get models/m/aliases/dev.json", "fetch models/m/versions/2/model-0.onnx"]


# Each costs milliseconds, up to hundreds, that a cold request would wait for.
UNWANTED = {
    "asyncio", "boto3", "botocore", "concurrent.futures", "coldpress.ingest", "dataclasses", "email",
    "http", "http.client", "importlib.metadata", "inspect", "logging", "mangum", "multiprocessing",
    "numpy", "onnx", "onnxruntime", "pathlib", "pydantic", "random", "shutil", "socket", "ssl", "subprocess",
    "tempfile", "tokenize", "traceback", "typing_extensions", "urllib", "urllib.request", "uuid",
}  # fmt: skip

ONE_REQUEST = """
import sys
sys.path[:0] = PATHS
import json, os
real, sys.stdout = sys.stdout, open(os.devnull, "w")
sys.path.insert(0, "functions/predict")
import app
event = {"rawPath": "/models/m/predict", "headers": {"x-api-key": KEY}, "body": "[1.0]",
         "requestContext": {"http": {"method": "POST"}, "requestId": "r"}}
class Context:
    def get_remaining_time_in_millis(self):
        return 29000
answer = app.handler(event, Context())
assert answer["statusCode"] == 200, answer
print(json.dumps(sorted(sys.modules)), file=real, flush=True)
"""


def imported(plane: Plane) -> set[str]:
    """What the function has imported after its first request."""
    wheel = Path(onnxruntime.__file__).parent / "capi"
    (library,) = wheel.glob("libonnxruntime.so.*")
    obstore = importlib.util.find_spec("obstore")
    assert obstore is not None
    assert obstore.origin is not None
    paths = [str(REPOSITORY / "layers/serving"), str(Path(obstore.origin).parents[1])]
    script = ONE_REQUEST.replace("PATHS", repr(paths)).replace("KEY", repr(plane.key))
    process = subprocess.run(
        # -S: `site` runs what is installed here, such as editable installs, and imports as it likes.
        [sys.executable, "-S", "-c", script],
        env={"COLDPRESS_STORE": plane.store.url, "COLDPRESS_ORT_LIBRARY": str(library)},
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        check=False,
    )
    assert process.returncode == 0, process.stderr
    return set(json.loads(process.stdout))


def test_nothing_heavy_is_imported_on_the_way_to_an_answer(plane: Plane) -> None:
    plane.publish("m", 1, constant(1))
    after_request = imported(plane)
    assert after_request & UNWANTED == set()
    assert {"coldpress.serving", "coldpress.ort"} <= after_request  # else nothing was tried
    assert "coldpress.protocols.tfserving" not in after_request  # a protocol is imported when it is spoken


def early(script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Runs a script in a process that starts as Lambda's do, by the template's PYTHONPATH."""
    paths = [
        REPOSITORY / "functions/predict",
        REPOSITORY / "layers/serving",
        Path(onnxruntime.__file__).parents[1],
    ]
    return subprocess.run(
        [sys.executable, "-c", script],
        env={"PYTHONPATH": os.pathsep.join(map(str, paths))} | environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )


def test_onnx_runtime_is_being_opened_before_anything_else_is_imported() -> None:
    done = early(
        "from coldpress import engine; print(engine.begin('').result().version, len(engine._opening))"
    )
    assert (done.stdout, done.stderr, done.returncode) == (f"{onnxruntime.__version__} 1\n", "", 0)


def test_a_process_that_ends_meanwhile_does_not_crash() -> None:
    assert early("raise SystemExit(3)").returncode == 3


def test_a_library_that_is_not_there_is_told_to_the_request_and_not_before() -> None:
    done = early("print('started')", COLDPRESS_ORT_LIBRARY="/nowhere")
    assert (done.stdout, done.stderr, done.returncode) == ("started\n", "", 0)

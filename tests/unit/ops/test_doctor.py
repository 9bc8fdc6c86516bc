"""`coldpress doctor`: a healthy installation, and each way in which one is not."""

import base64
import json
import os
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from coldpress.access import create_key
from coldpress.store import Store
from coldpress_ops.cli import app
from coldpress_ops.client import Client
from coldpress_ops.doctor import machine
from coldpress_ops.doctor.findings import Finding

# y = x + x, IR 9, opset 20.
MODEL = base64.b64decode(
    "CAk6NwoOCgF4CgF4EgF5IgNBZGQSAWdaEAoBeBILCgkIARIFCgMSAW5iEAoBeRILCgkIARIFCgMSAW5CBAoAEBQ="
)
START_SECONDS = 60


def run(*arguments: str) -> Any:
    return CliRunner().invoke(app, ["doctor", *arguments])


def findings(*arguments: str) -> tuple[int, dict[str, dict[str, str]]]:
    """The exit status, and the findings by what was looked at."""
    result = run(*arguments, "--json")
    return result.exit_code, {each["what"]: each for each in json.loads(result.stdout)}


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("COLDPRESS_")]:
        monkeypatch.delenv(name)


# ---------------------------------------------------------------------- this machine
def look(what: str, state: Path) -> Finding:
    return next(finding for finding in machine.look_at(state) if finding.what == what)


def test_a_healthy_machine(tmp_path: Path, free_port: int) -> None:
    status, found = findings("--state", str(tmp_path), "--url", f"http://127.0.0.1:{free_port}")
    assert status == 0
    levels = {what: each["level"] for what, each in found.items() if what not in ("disk", "PyTorch")}
    assert levels == {
        "Python": "ok",
        "platform": "ok",
        "ONNX Runtime": "ok",
        "state folder": "ok",
        "store": "ok",
        "control plane": "ok",
        "server": "note",
    }
    assert found["server"]["found"] == f"nothing runs at http://127.0.0.1:{free_port}"
    assert found["server"]["fix"].startswith("coldpress up")


def test_a_library_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDPRESS_ORT_LIBRARY", str(tmp_path / "libonnxruntime.so"))
    found = look("ONNX Runtime", tmp_path)
    assert found.level == "broken"
    assert "is no file; give ONNX Runtime's libonnxruntime.so" in found.found
    assert found.fix.startswith("pip install onnxruntime==1.31.1")


def test_a_library_that_ends_the_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_OPEN", "import os; os.abort()")
    found = look("ONNX Runtime", tmp_path)
    assert (found.level, found.found) == ("broken", "ended with status -6 while it loaded")


def test_a_library_of_another_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_pinned", lambda package: f"{package}-9")
    found = look("ONNX Runtime", tmp_path)
    assert found.level == "broken"
    assert found.found.endswith("but this coldpress was tested with onnxruntime-9")


def test_a_state_folder_that_cannot_be(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    found = look("state folder", file / "state")
    assert (found.level, found.found) == ("broken", f"{file} is a file")
    # Nobody may make files there, not even root.
    assert look("state folder", Path("/proc/self")).level == "broken"


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "ENOUGH_BYTES", shutil.disk_usage(tmp_path).total * 2)
    assert look("disk", tmp_path).level == "note"


def test_a_store_that_takes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLDPRESS_STORE", "file:///proc/self/fd")
    assert look("store", tmp_path).level == "broken"
    monkeypatch.setenv("COLDPRESS_STORE", "nonsense")
    found = look("store", tmp_path)
    assert found.level == "broken"
    assert "nonsense" in found.found


# ---------------------------------------------------------------------- a server
@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """The URL and the state folder of a real one."""
    state = tmp_path_factory.mktemp("state")
    command = [sys.executable, "-m", "coldpress_ops", "up", "--port", "0", "--state", str(state)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        timer = threading.Timer(START_SECONDS, process.kill)
        timer.start()
        url = next(line.split()[1] for line in process.stdout if line.startswith("ready "))
        timer.cancel()
        yield url, state
        process.terminate()


def test_a_server_without_and_with_models(server: tuple[str, Path], tmp_path: Path) -> None:
    url, state = server
    arguments = ("--url", url, "--state", str(state), "--no-machine")
    status, found = findings(*arguments)
    assert status == 0
    assert {what: each["level"] for what, each in found.items()} == {
        "server": "ok",
        "API key": "ok",
        "models": "note",
    }
    (tmp_path / "model.onnx").write_bytes(MODEL)
    with Client(url, (state / "key").read_text().strip()) as client:
        client.publish("adder", tmp_path / "model.onnx")
        assert run(*arguments).stdout.endswith("ok     models: 1 ready: adder\n")
        client.publish("unnamed", tmp_path / "model.onnx", None)
    result = run(*arguments)
    assert result.exit_code == 1
    assert result.stdout.endswith(
        "broken models: model 'unnamed' has no alias 'prod'\n"
        "       → coldpress show NAME, then coldpress promote NAME VERSION\n"
    )


def test_keys_that_open_nothing_or_little(server: tuple[str, Path]) -> None:
    url, state = server
    arguments = ("--url", url, "--state", str(state), "--no-machine")
    status, found = findings(*arguments, "--key", "cp_wrong")
    assert (status, found["API key"]["level"]) == (1, "broken")
    assert found["API key"]["fix"].startswith("coldpress keys create --read")
    key, _ = create_key(Store((state / "objects").as_uri()), ("predict:*",), 0)
    status, found = findings(*arguments, "--key", key)
    assert status == 0
    assert [found[what]["level"] for what in ("API key", "models")] == ["ok", "note"]


class Stranger(BaseHTTPRequestHandler):
    body = b""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.mark.parametrize("body", [b"hello", b'{"hello": "world"}'])
def test_a_port_that_something_else_holds(
    body: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Stranger, "body", body)
    with HTTPServer(("127.0.0.1", 0), Stranger) as stranger:
        threading.Thread(target=stranger.serve_forever, daemon=True).start()
        url = f"http://127.0.0.1:{stranger.server_port}"
        status, found = findings("--url", url, "--state", str(tmp_path), "--no-machine")
        stranger.shutdown()
    assert status == 1
    assert list(found) == ["server"]
    assert found["server"]["found"] == f"{url} answers, but not as Coldpress does"
    assert "coldpress up --port 8080" in found["server"]["fix"]


def test_a_deployment_that_is_not_there() -> None:
    # A name that, by RFC 2606, nobody has.
    status, found = findings("--url", "https://coldpress.invalid", "--key", "cp_x")
    assert status == 1
    assert list(found) == ["server"], "this machine is not what is asked about"
    assert found["server"]["level"] == "broken"
    assert found["server"]["fix"] == "check the URL: it is the stack's output Url"


def test_a_port_where_nobody_speaks_http(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("coldpress_ops.doctor.deployment.LOCAL_TIMEOUT", 0.2)
    # It takes connections, and never says a word.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        status, found = findings("--url", url, "--state", str(tmp_path), "--no-machine")
    assert (status, found["server"]["level"]) == (1, "broken")
    assert "did not answer" in found["server"]["found"]

"""Model servers as peers: from the start of the process to the first 200 over HTTP."""

import contextlib
import http.client
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from ..support.seaweedfs import free_ports
from . import packages
from .cold import START_SECONDS, Start
from .models import BenchModel

APPS = Path(__file__).parent / "servers"
ASK_AGAIN_SECONDS = 0.002


def server(name: str, model: BenchModel) -> Start:
    """`mlserver`, `bentoml` or `litserve`. Raises `NotInstallable`."""
    python = packages.server(name)
    rows = model.input.tolist()
    instances = json.dumps({"instances": rows})
    tensor = {
        "name": "x",
        "shape": list(model.input.shape),
        "datatype": "FP32",
        "data": model.input.ravel().tolist(),
    }
    asked = {
        "litserve": ("/predict", instances),
        "bentoml": ("/predict", instances),
        "mlserver": ("/v2/models/mlp/infer", json.dumps({"inputs": [tensor]})),
    }[name]

    def start() -> float:
        with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as folder:
            port, *others = free_ports(3)
            command = _command(name, python, model.path, port, others, Path(folder))
            return _until_answered(
                command, _environment(name, python, model.path, folder), Path(folder), port, *asked
            )

    return start


def _command(name: str, python: Path, model: Path, port: int, others: list[int], folder: Path) -> list[str]:
    if name == "litserve":
        return [str(python), str(APPS / "litserve_app.py"), str(model), str(port)]
    if name == "bentoml":
        options = ["--host", "127.0.0.1", "--port", str(port)]
        return [str(python), "-m", "bentoml", "serve", "bentoml_app:Mlp", *options]
    shutil.copy(APPS / "mlserver_app.py", folder)
    settings = {"name": "mlp", "implementation": "mlserver_app.Mlp", "parameters": {"uri": str(model)}}
    (folder / "model-settings.json").write_text(json.dumps(settings))
    # Without worker processes: its fastest way to start.
    ports = {"http_port": port, "grpc_port": others[0], "metrics_port": others[1]}
    (folder / "settings.json").write_text(json.dumps(ports | {"host": "127.0.0.1", "parallel_workers": 0}))
    return [str(python.with_name("mlserver")), "start", str(folder)]


def _environment(name: str, python: Path, model: Path, home: str) -> dict[str, str]:
    found = {"PATH": f"{python.parent}{os.pathsep}{os.environ['PATH']}", "HOME": home, "MODEL": str(model)}
    quiet = {"BENTOML_DO_NOT_TRACK": "True", "ORT_DISABLE_TELEMETRY": "1"}
    return found | quiet | ({"PYTHONPATH": str(APPS)} if name == "bentoml" else {})


def _until_answered(
    command: list[str], environment: dict[str, str], folder: Path, port: int, path: str, body: str
) -> float:
    began = time.monotonic()
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            # A session of its own would be a scheduling group of its own: without our niceness.
            command,
            env=environment,
            cwd=folder,
            stdout=log,
            stderr=log,
            process_group=0,
        )
    try:
        while not _answers(port, path, body):
            if process.poll() is not None or time.monotonic() - began > START_SECONDS:
                raise RuntimeError(f"{command} did not start:\n{(folder / 'log').read_text()[-2000:]}")
            time.sleep(ASK_AGAIN_SECONDS)
        return time.monotonic() - began
    finally:
        # BentoML's workers are in sessions of their own: killing the group alone would leave them behind.
        for pid in _family(process.pid):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        process.wait()


def _family(pid: int) -> list[int]:
    """A process and all that it and its children have started, it first."""
    children: list[str] = []
    with contextlib.suppress(OSError):
        for task in Path(f"/proc/{pid}/task").iterdir():
            children += (task / "children").read_text().split()
    return [pid, *(one for child in children for one in _family(int(child)))]


def _answers(port: int, path: str, body: str) -> bool:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=START_SECONDS)
    try:
        connection.request("POST", path, body, {"content-type": "application/json"})
        response = connection.getresponse()
        response.read()
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
    return response.status == 200

"""One suite, whatever serves it: a test sees a URL, a key and the command line."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import onnx
import pytest

from coldpress_ops import serverprocess


@dataclass(frozen=True)
class Deployment:
    """Something that serves the template."""

    url: str
    key: str
    objects: Path
    http: httpx.Client

    def coldpress(self, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        """The console script, told where this deployment is."""
        environment = os.environ | {"COLDPRESS_URL": self.url, "COLDPRESS_API_KEY": self.key, "NO_COLOR": "1"}
        return subprocess.run(
            [sys.executable, "-m", "coldpress_ops", *arguments],
            env=environment,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )

    def publish(self, name: str, path: Path, *options: str) -> subprocess.CompletedProcess[str]:
        return self.coldpress("publish", name, str(path), "--wait", *options)


def client(url: str, key: str) -> httpx.Client:
    return httpx.Client(base_url=url, headers={"x-api-key": key}, timeout=60)


@pytest.fixture(scope="session")
def deployment(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployment]:
    state = tmp_path_factory.mktemp("deployment")
    with serverprocess.running(state) as server, client(server.url, server.key) as http:
        yield Deployment(server.url, server.key, state / "objects", http)


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[onnx.ModelProto | bytes], Path]:
    """Writes a model, or bytes that claim to be one, to a file."""

    def save(model: onnx.ModelProto | bytes, name: str = "model.onnx") -> Path:
        path = tmp_path / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path

    return save

"""Layers built by their Makefiles, once for all tests that only look at them."""

import os
import platform
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

PROJECT = Path(__file__).resolve().parents[3]
LAYERS = {
    "serving": "ServingLayer",
    "onnxruntime": "OnnxRuntimeLayer",
    "web": "WebLayer",
    "pictures": "PicturesLayer",
}
MACHINE = platform.machine()
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
RUNTIME = f"python{PYTHON_VERSION}"
# The tests' own Python may be older than the functions', and then pairs with an older C library on Lambda.
HERE = {
    "PYTHON": sys.executable,
    "RUNTIME": RUNTIME,
    "MACHINE": MACHINE,
    "PLATFORMS": " ".join(f"manylinux_2_{minor}_{MACHINE}" for minor in range(28, 16, -1)),
}
ARM = {"PYTHON": sys.executable, "MACHINE": "aarch64"}
SECONDS = 240


@dataclass(frozen=True)
class Build:
    """What `make` did: its folder, exit status and words."""

    folder: Path
    status: int
    words: str


def build(
    layer: str,
    folder: Path,
    variables: Mapping[str, str],
    *,
    project: Path = PROJECT,
    umask: int = 0o022,
    environment: Mapping[str, str] | None = None,
) -> Build:
    """Builds a layer as `sam build` does; `variables` are make's."""
    folder.mkdir(parents=True)
    inherited = {name: each for name, each in os.environ.items() if name not in ("MAKEFLAGS", "PYTHONPATH")}
    command = [
        *("make", "--silent", f"--directory={project}/layers/{layer}", f"build-{LAYERS[layer]}"),
        *(f"ARTIFACTS_DIR={folder}", *(f"{name}={each}" for name, each in variables.items())),
    ]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        timeout=SECONDS,
        check=False,
        umask=umask,
        env=inherited | dict(environment or {}),
    )
    return Build(folder, done.returncode, done.stdout + done.stderr)


def made(build: Build) -> Path:
    """The folder of a build that went well."""
    assert build.status == 0, build.words
    return build.folder


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every layer, for this machine and this Python."""
    folder = tmp_path_factory.mktemp("layers")
    return {layer: made(build(layer, folder / layer, HERE)) for layer in LAYERS}


@pytest.fixture(scope="session")
def built_for_arm(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Every layer, for Lambda on arm64 and the template's runtime."""
    folder = tmp_path_factory.mktemp("arm")
    return {layer: made(build(layer, folder / layer, ARM)) for layer in LAYERS}

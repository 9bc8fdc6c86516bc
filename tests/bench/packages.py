"""What the processes under test run with: each its own folder of packages, with bytecode, and nothing else.

Everything is kept below the user's cache, by a hash of what it was made from.
"""

import hashlib
import json
import os
import platform
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from coldpress_build.cache import cache_folder

REPOSITORY = Path(__file__).parents[2]
HERE = Path(__file__).parent
INSTALL_SECONDS = 600
TAG = f"py{sys.version_info.major}{sys.version_info.minor}"

# What Lambda itself brings; the peers' own packages. Versions are the project's own, from constraints.txt.
RUNTIME = ("awslambdaric", "boto3")
PEERS = {
    "naive": ("fastapi", "mangum", "onnxruntime"),
    "powertools": ("aws-lambda-powertools", "onnxruntime"),
    "onnxruntime": ("onnxruntime",),
}
SERVERS = {
    "mlserver": ("mlserver==1.7.1", "onnxruntime==1.31.1", "numpy==2.4.6"),
    "bentoml": ("bentoml==1.4.39", "onnxruntime==1.31.1", "numpy==2.4.6"),
    "litserve": ("litserve==0.2.19", "onnxruntime==1.31.1", "numpy==2.4.6"),
}
LAYERS = {"serving": "build-ServingLayer", "onnxruntime": "build-OnnxRuntimeLayer"}


class NotInstallable(Exception):
    """A peer cannot be had here; the message says why."""


@dataclass(frozen=True)
class Package:
    """Our function as it ships."""

    python: Path
    """The layer's folder for `sys.path`."""
    library: Path
    function: Path
    unzipped: int
    zipped: int
    """Bytes, of the function and its layers."""


def cache() -> Path:
    """Where the benchmark keeps what takes long to make."""
    return cache_folder() / "bench"


def interpreter() -> Path:
    """A Python without packages of its own, the version that runs the benchmark."""
    folder = _made(f"python-{TAG}", [sys.base_prefix], _make_interpreter)
    return folder / "bin" / "python"


def _make_interpreter(folder: Path) -> None:
    _run([sys.executable, "-m", "venv", "--without-pip", str(folder)])


def runtime() -> Path:
    """Lambda's own packages."""
    return _installed("runtime", RUNTIME)


def peer(name: str) -> Path:
    """The packages of one of `PEERS`."""
    return _installed(name, PEERS[name])


def _installed(name: str, requirements: tuple[str, ...]) -> Path:
    constraints = REPOSITORY / "constraints.txt"

    def make(folder: Path) -> None:
        command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        _run(
            [
                *command,
                "--no-compile",
                "--target",
                str(folder),
                "--constraint",
                str(constraints),
                *requirements,
            ]
        )
        compile_all(folder)

    return _made(f"{name}-{TAG}", [*requirements, constraints.read_text()], make)


def server(name: str) -> Path:
    """The interpreter of a server's own virtual environment. Raises `NotInstallable`."""

    def make(folder: Path) -> None:
        _run([sys.executable, "-m", "venv", str(folder)])
        pip = [
            str(folder / "bin" / "python"),
            "-m",
            "pip",
            "--quiet",
            "--disable-pip-version-check",
            "install",
        ]
        _run([*pip, "--no-compile", *SERVERS[name]])
        compile_all(folder / "lib")

    try:
        return _made(f"{name}-{TAG}", list(SERVERS[name]), make) / "bin" / "python"
    except subprocess.SubprocessError as error:
        output = getattr(error, "output", b"") or b""
        lines = [line for line in output.decode().splitlines() if "ERROR" in line] or [str(error)]
        raise NotInstallable(f"{SERVERS[name][0]} cannot be installed: {lines[-1]:.200}") from None


def ours() -> Package:
    """Our function, built as `sam build` builds it, from the working tree as it is now."""
    folders = {name: _layer(name, target) for name, target in LAYERS.items()}
    current = cache() / f"current-{TAG}"
    shutil.rmtree(current, ignore_errors=True)
    layer = current / "serving"
    shutil.copytree(folders["serving"], layer)
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.rmtree(layer / "python" / "coldpress")
    shutil.copytree(REPOSITORY / "layers/serving/coldpress", layer / "python" / "coldpress", ignore=ignored)
    function = current / "predict"
    shutil.copytree(REPOSITORY / "functions/predict", function, ignore=ignored)
    # As the layer's Makefile does: without docstrings.
    compile_all(layer, level=2)
    compile_all(function)
    parts = (layer, folders["onnxruntime"], function)
    (library,) = (folders["onnxruntime"] / "lib").glob("libonnxruntime.so*")
    return Package(
        layer / "python", library, function, sum(map(size_of, parts)), sum(map(_zipped_size, parts))
    )


def _layer(name: str, target: str) -> Path:
    """A layer, made by its own Makefile; made again when anything but the package coldpress changes.

    For the Python that the benchmark runs on, which may be another one than the template's.
    """
    source = REPOSITORY / "layers"
    inputs = [source / "layer.mk", *sorted((source / "finish").rglob("*"))]
    inputs += [path for path in sorted((source / name).rglob("*")) if "coldpress" not in path.parts]
    texts = [path.read_text(errors="replace") for path in inputs if path.is_file() and path.suffix != ".pyc"]
    platforms = " ".join(f"manylinux_2_{minor}_{platform.machine()}" for minor in range(34, 16, -1))

    def make(folder: Path) -> None:
        version = f"RUNTIME=python{sys.version_info.major}.{sys.version_info.minor}"
        python = [f"PYTHON={sys.executable}", version, f"PLATFORMS={platforms}"]
        _run(["make", "-s", "-C", str(source / name), target, f"ARTIFACTS_DIR={folder}", *python])

    return _made(f"layer-{name}-{TAG}", texts, make)


def compile_all(folder: Path, level: int = 0) -> None:
    """Bytecode beside every module, used whatever the time stamps are; 2 leaves docstrings out."""
    mode = ["-f", "-o", str(level), "--invalidation-mode", "unchecked-hash"]
    # Some packages carry templates that are no valid Python: their failure is no failure.
    subprocess.run(
        [sys.executable, "-m", "compileall", "-q", *mode, str(folder)],
        check=False, stdout=subprocess.DEVNULL, timeout=INSTALL_SECONDS,
    )  # fmt: skip
    for path in folder.rglob("*.opt-2.pyc"):
        path.replace(path.with_name(path.name.replace(".opt-2.pyc", ".pyc")))


def size_of(folder: Path) -> int:
    """Bytes of all the files."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def size_without_bytecode(folder: Path, *, zipped: bool) -> int:
    """Bytes of a peer's packages as pip installs them for a deployment."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "copy"
        shutil.copytree(folder, copy, ignore=shutil.ignore_patterns("__pycache__"))
        return _zipped_size(copy) if zipped else size_of(copy)


def _zipped_size(folder: Path) -> int:
    with tempfile.TemporaryFile() as file:
        with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
            for path in sorted(folder.rglob("*")):
                archive.write(path, path.relative_to(folder))
        return file.tell()


def _made(name: str, inputs: list[str], make: Callable[[Path], None]) -> Path:
    """The folder that `make` fills, from the cache when it was made from the same inputs before."""
    digest = hashlib.sha256(json.dumps(inputs).encode()).hexdigest()[:12]
    folder = cache() / f"{name}-{digest}"
    if not (folder / ".made").exists():
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        make(folder)
        (folder / ".made").touch()
    return folder


def _run(command: list[str]) -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    subprocess.run(
        command, check=True, env=environment, timeout=INSTALL_SECONDS,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip

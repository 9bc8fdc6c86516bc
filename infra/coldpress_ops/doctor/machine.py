"""Whether this machine can run Coldpress: Python, ONNX Runtime, state folder, store, PyTorch."""

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from functools import partial
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

from coldpress.probe import probe
from coldpress.store import Store
from coldpress_ops.cli.up import CONTROL_PLANE
from coldpress_ops.doctor.findings import Broken, Finding, Note, find

OLDEST_PYTHON = (3, 11)
OLDEST_GLIBC = (2, 28)
"""What ONNX Runtime's wheels are built for (manylinux_2_28)."""
ENOUGH_BYTES = 1 << 30
LIBRARY_SECONDS, TORCH_SECONDS = 30, 120

# A library that does not fit this machine may end the process: it is another process's.
_OPEN = """
from coldpress.ort import Library, library_path
import os
library = Library.open(library_path(os.environ.get("COLDPRESS_ORT_LIBRARY", "")))
print(library.version, library.path)
"""


def look_at(state: Path) -> Iterator[Finding]:
    """One finding after the other; `state` is the local server's folder."""
    yield find("Python", _python)
    yield find("platform", _platform)
    yield find("ONNX Runtime", _onnxruntime)
    yield find("state folder", partial(_state, state))
    yield find("disk", partial(_disk, state))
    yield find("store", partial(_store, state))
    yield find("control plane", _control_plane)
    yield find("PyTorch", _torch)


def _python() -> str:
    if sys.version_info < OLDEST_PYTHON:
        raise Broken(platform.python_version(), "install Python 3.11 or later, and coldpress with it")
    return f"{platform.python_version()} at {sys.executable}"


def _platform() -> str:
    system, machine = platform.system(), platform.machine()
    if system != "Linux" or machine not in ("x86_64", "aarch64"):
        raise Broken(f"{system} {machine}", "use Linux on x86_64 or aarch64, a container for example")
    name, version = platform.libc_ver()
    if name != "glibc" or tuple(map(int, version.split(".")[:2])) < OLDEST_GLIBC:
        raise Broken(
            f"{system} {machine} with {name or 'another C library than glibc'} {version}".rstrip(),
            "use a distribution with glibc 2.28 or later (Debian 10, Ubuntu 18.10, RHEL 8 or younger)",
        )
    return f"{system} {machine}, {name} {version}"


def _onnxruntime() -> str:
    wanted = _pinned("onnxruntime")
    install = f"pip install onnxruntime=={wanted}, or set COLDPRESS_ORT_LIBRARY to its libonnxruntime.so"
    done = _run(_OPEN, LIBRARY_SECONDS)
    if done.returncode:
        words = done.stderr.strip().splitlines() or [f"ended with status {done.returncode} while it loaded"]
        raise Broken(words[-1].partition(": ")[2] or words[-1], install)
    version, path = done.stdout.split(maxsplit=1)
    if version != wanted:
        raise Broken(f"{version} at {path.strip()}, but this coldpress was tested with {wanted}", install)
    return f"{version} at {path.strip()}"


def _pinned(package: str) -> str:
    rows = metadata.requires("coldpress") or []
    return next(row.removeprefix(f"{package}==") for row in rows if row.startswith(f"{package}=="))


def _state(state: Path) -> str:
    fix = f"chown or chmod it, or give another folder: --state DIR (now {state})"
    folder = _nearest(state)
    try:
        with tempfile.NamedTemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Broken(f"{folder}: {error.strerror}", fix) from None
    return f"{state} is writable" if state.is_dir() else f"{state} can be made"


def _nearest(path: Path) -> Path:
    path = path.absolute()
    nearest = next(each for each in (path, *path.parents) if each.exists())
    if not nearest.is_dir():
        raise Broken(f"{nearest} is a file", "give a folder: --state DIR")
    return nearest


def _disk(state: Path) -> str:
    folder = _nearest(state)
    free = shutil.disk_usage(folder).free
    found = f"{free / 1e9:.1f} GB free at {folder}"
    if free < ENOUGH_BYTES:
        raise Note(found, "free some: models, their versions and training runs are kept there")
    return found


def _store(state: Path) -> str:
    url = os.environ.get("COLDPRESS_STORE", "")
    if not url and not (state / "objects").is_dir():
        return f"none yet: coldpress up makes one below {state}"
    url = url or (state / "objects").absolute().as_uri()
    probe(Store(url))
    return f"{url} keeps conditional writes"


def _control_plane() -> str:
    missing = [package for package in CONTROL_PLANE if find_spec(package) is None]
    if missing:
        words = f"{', '.join(missing)} not installed; coldpress up needs it"
        raise Note(words, "pip install 'coldpress[api]'")
    return f"FastAPI {metadata.version('fastapi')}"


def _torch() -> str:
    try:
        version = metadata.version("torch")
    except metadata.PackageNotFoundError:
        raise Note("not installed; train and press need it", "pip install 'coldpress[build]'") from None
    done = _run("import torch; print(torch.cuda.device_count())", TORCH_SECONDS)
    if done.returncode:
        words = done.stderr.strip().splitlines()[-1:]
        raise Broken(f"{version} does not import: {''.join(words)}", "pip install --force-reinstall torch")
    return f"{version}, {done.stdout.strip()} GPUs"


def _run(code: str, seconds: float) -> "subprocess.CompletedProcess[str]":
    try:
        return subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, timeout=seconds, check=False
        )
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess([], 1, "", f"not done after {seconds:g} s")

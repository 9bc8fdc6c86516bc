"""The functions' layers and code as `sam build` makes them, for the Python that runs here."""

import os
import platform
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from io import BytesIO
from pathlib import Path
from types import MappingProxyType

import yaml

PROJECT = Path(__file__).resolve().parents[3]
PYTHON_VERSION = f"{sys.version_info.major}.{sys.version_info.minor}"
# Lambda's python3.11 has an older C library than ONNX Runtime takes; this machine's is what counts here.
GLIBC = ("manylinux_2_28", "manylinux_2_27", "manylinux_2_17", "manylinux2014")
BUILD_SECONDS = 300


class _Tags(yaml.SafeLoader):
    """CloudFormation's tags read as nothing: only names and paths are wanted."""


_Tags.add_multi_constructor("!", lambda *_: None)


def functions() -> dict[str, Path]:
    """The functions' folders by logical id."""
    return resources("AWS::Serverless::Function", "CodeUri")


def resources(kind: str, folder: str) -> dict[str, Path]:
    """Folders of the template's resources of a kind, by logical id."""
    template = yaml.load((PROJECT / "template.yaml").read_text(), _Tags)  # noqa: S506
    return {
        name: PROJECT / resource["Properties"][folder]
        for name, resource in template["Resources"].items()
        if resource["Type"] == kind
    }


def build(folder: Path) -> dict[str, Path]:
    """Every layer, built by its Makefile; its folder by logical id."""
    layers = resources("AWS::Serverless::LayerVersion", "ContentUri")
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(_make, layers, layers.values(), (folder / name for name in layers)))
    return {name: folder / name for name in layers}


def _make(name: str, source: Path, target: Path) -> None:
    machine = platform.machine()
    target.mkdir(parents=True)
    command = [
        *("make", "--silent", f"--directory={source}", f"build-{name}", f"ARTIFACTS_DIR={target}"),
        *(f"PYTHON={sys.executable}", f"RUNTIME=python{PYTHON_VERSION}", f"MACHINE={machine}"),
        f"PLATFORMS={' '.join(f'{glibc}_{machine}' for glibc in GLIBC)}",
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS, check=False)
    if done.returncode:
        raise RuntimeError(f"building {name} failed:\n{done.stdout}{done.stderr}")


def archive(folder: Path, changed: Mapping[str, str] = MappingProxyType({})) -> bytes:
    """A folder as the zip file that Lambda takes; `changed` are files with other contents, by name."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    files = {str(path.relative_to(folder)): path.read_bytes() for path in paths}
    files |= {name: text.encode() for name, text in changed.items()}
    buffer = BytesIO()
    with zipfile.ZipFile(buffer, "w") as packed:
        for name in sorted(files):
            # Without times, so that the same files give the same bytes, and no update.
            packed.writestr(zipfile.ZipInfo(name), files[name])
    return buffer.getvalue()

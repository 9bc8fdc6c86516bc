"""Tools whose dependencies are not ours: each in a virtual environment of its own, made on first use.

As a program (`python -m tests.support.toolbox FILE`) it makes the environment and prints its `bin` folder.
"""

import fcntl
import hashlib
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

INSTALL_SECONDS = 600


def cache_folder() -> Path:
    """`$COLDPRESS_CACHE`, else `~/.cache/coldpress`."""
    configured = os.environ.get("COLDPRESS_CACHE")
    return Path(configured) if configured else Path.home() / ".cache" / "coldpress"


def installed(requirements: Path) -> Path:
    """The `bin` folder of an environment that has exactly what the file lists, for this Python.

    Two test runs may ask at once: the second waits for the first.
    """
    wanted = hashlib.sha256(requirements.read_bytes() + sys.version.encode()).hexdigest()[:12]
    folder = cache_folder() / "tools" / f"{requirements.stem}-{wanted}"
    complete = folder / "complete"
    folder.parent.mkdir(parents=True, exist_ok=True)
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            # Without pip of its own: the one that runs here installs into it, which saves seconds.
            run(sys.executable, "-m", "venv", "--clear", "--without-pip", str(folder))
            run(
                *(sys.executable, "-m", "pip", "--python", str(folder / "bin" / "python")),
                *("install", "--quiet", "--disable-pip-version-check", "--no-compile", "--no-deps"),
                *("--requirement", str(requirements)),
            )
            complete.touch()
    return folder / "bin"


def run(
    *command: str,
    seconds: float = INSTALL_SECONDS,
    cwd: Path | None = None,
    environment: Mapping[str, str] = os.environ,
) -> str:
    """What a command printed. Raises `RuntimeError` with all that it said when it fails."""
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=seconds, cwd=cwd, env=environment, check=False
    )
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}")
    return done.stdout


if __name__ == "__main__":
    print(installed(Path(sys.argv[1])))

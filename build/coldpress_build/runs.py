"""Where a run's files go: a folder that appears whole, when the run is done."""

import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

PACKAGES = ("coldpress", "torch", "onnx", "onnxruntime", "scikit-learn", "numpy")


def new_id(what: str) -> str:
    """`what`, the time in UTC and something random: sorts by time, never meets another."""
    return f"{what}-{datetime.now(UTC):%Y%m%d-%H%M%S}-{secrets.token_hex(2)}"


def now() -> str:
    """The time in UTC, ISO 8601."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """What the figures were made with."""
    return {name: version(name) for name in PACKAGES}


@contextmanager
def whole_folder(target: Path) -> Iterator[Path]:
    """A folder to write into that becomes `target` at the end, or disappears when the block raises."""
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.partial")
    partial.mkdir()
    try:
        yield partial
        partial.rename(target)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise

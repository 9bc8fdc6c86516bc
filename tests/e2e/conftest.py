"""One suite, whatever serves it: a test sees a URL, a key, the command line and what is stored.

The fixture `deployment` is in tests/conftest.py.
"""

from collections.abc import Callable
from pathlib import Path

import onnx
import pytest


@pytest.fixture
def saved(tmp_path: Path) -> Callable[[onnx.ModelProto | bytes], Path]:
    """Writes a model, or bytes that claim to be one, to a file."""

    def save(model: onnx.ModelProto | bytes, name: str = "model.onnx") -> Path:
        path = tmp_path / name
        path.write_bytes(model if isinstance(model, bytes) else model.SerializeToString())
        return path

    return save

"""Publishing what the press made."""

from pathlib import Path

import pytest

from coldpress.errors import ColdpressError
from coldpress_ops.client import Client
from coldpress_ops.publishing import publish_pressed


@pytest.mark.parametrize("pressed", [True, False])
def test_a_deployment_that_is_not_there_tells_how_to_publish_later(
    tmp_path: Path, free_port: int, pressed: bool
) -> None:
    model, original = tmp_path / "model.onnx", tmp_path / "model.fp32.onnx"
    model.write_bytes(b"m")
    original.write_bytes(b"o")
    url = f"http://127.0.0.1:{free_port}"
    with Client(url) as client, pytest.raises(ColdpressError) as caught:
        publish_pressed(client, "wine", model, original if pressed else None)
    assert str(caught.value) == (
        f"cannot reach {url}; start one with: coldpress up; the model is kept: coldpress publish wine {model}"
    )

"""Every upload that cannot be a version: refused with the reason, kept, and nothing registered."""

import numpy as np
import pytest
from onnx import numpy_helper

from . import onnx_models


def _wrong_shape() -> bytes:
    made = onnx_models.linear()
    made.graph.initializer[0].CopyFrom(numpy_helper.from_array(np.ones((2, 7), np.float32), "factor"))
    return made.SerializeToString()


CASES = {
    "no-onnx": (b"this is a text about a model", "ONNX"),
    "truncated": (onnx_models.linear().SerializeToString()[:-30], ""),
    "newer-ir": (onnx_models.linear(ir=99), "IR"),
    "newer-opset": (onnx_models.linear(opset=99), "opset"),
    "absolute-path": (onnx_models.external("/etc/passwd"), "/etc/passwd"),
    "parent-path": (onnx_models.external("../../secret"), "../../secret"),
    "side-file": (onnx_models.external("weights.bin"), "weights.bin"),
    "custom-operator": (onnx_models.custom_operator(), "com.example"),
    "wrong-shape": (_wrong_shape(), ""),
}


@pytest.mark.parametrize("name", CASES)
def test_refused_with_the_reason(deployment, saved, name):
    content, reason = CASES[name]
    path = saved(content)
    answer = deployment.publish(name, path)
    assert answer.returncode == 1
    assert "error:" in answer.stderr
    assert reason in answer.stderr
    assert "Traceback" not in answer.stderr

    uploads = deployment.objects.under(f"incoming/{name}")
    assert [data for key, data in uploads.items() if key.endswith(".onnx")] == [path.read_bytes()]
    assert len(deployment.objects.under(f"rejected/{name}")) == 1
    assert deployment.http.get(f"/v2/models/{name}").status_code == 404


@pytest.mark.parametrize("name", ["up/../down", "a/b", "..", "Upper", "x" * 300, "", "stats", "-dash"])
def test_names_that_cannot_be(deployment, saved, name):
    answer = deployment.coldpress("publish", "--wait", "--", name, str(saved(onnx_models.linear())))
    assert answer.returncode == 1
    assert "error:" in answer.stderr
    assert "Traceback" not in answer.stderr
    assert deployment.http.post("/uploads", json={"model": name, "filename": "model.onnx"}).status_code == 400


def test_files_that_cannot_be_read(deployment, tmp_path):
    for path in (tmp_path / "missing.onnx", tmp_path):
        answer = deployment.coldpress("publish", "name", str(path))
        assert answer.returncode in (1, 2)
        assert str(path) in answer.stderr.replace("\n", "")
        assert "Traceback" not in answer.stderr

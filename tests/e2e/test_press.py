"""`coldpress press` on any ONNX model, published with the way back behind it; `--publish` in general."""

import json
from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

WIDTH, HIDDEN = 64, 4096


def wide(generator: np.random.Generator) -> ModelProto:
    """x [batch, WIDTH] -> y [batch, 2]: wide enough that fewer bits are smaller and faster on any machine."""
    shapes = {"w": (WIDTH, HIDDEN), "v": (HIDDEN, 2)}
    constants = [
        numpy_helper.from_array(generator.normal(size=shape).astype(np.float32), name)
        for name, shape in shapes.items()
    ]
    graph = helper.make_graph(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"]),
            helper.make_node("Tanh", ["h"], ["r"]),
            helper.make_node("MatMul", ["r", "v"], ["y"]),
        ],
        "wide",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", WIDTH])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 2])],
        constants,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)


def rows(model: ModelProto, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Rows whose answers are the model's own, and clear: no rounding is to change them."""
    w, v = (numpy_helper.to_array(tensor) for tensor in model.graph.initializer)
    x = generator.normal(size=(2000, WIDTH)).astype(np.float32)
    y = np.tanh(x @ w) @ v
    clear = np.argsort(-np.abs(y[:, 0] - y[:, 1]))[:600]
    return {"x": x[clear], "label": y[clear].argmax(1)}


def test_the_original_stays_published_behind_what_was_made_of_it(deployment, saved, tmp_path: Path):
    generator = np.random.default_rng(0)
    model = wide(generator)
    file = saved(model)
    data = rows(model, generator)
    np.savez(tmp_path / "rows.npz", **data)
    done = deployment.coldpress(
        "press",
        str(file),
        "--data",
        str(tmp_path / "rows.npz"),
        "--publish",
        "wide",
        "--state",
        str(tmp_path),
    )
    assert done.returncode == 0, done.stderr
    assert "wide version 2 is ready; version 1 is the original" in done.stderr
    pressed = Path(done.stdout.strip())
    assert pressed.stat().st_size < 0.35 * file.stat().st_size
    assert "480 rows to judge by, 120 to calibrate with" in done.stderr

    shown = json.loads(deployment.coldpress("show", "wide", "--json").stdout)
    assert [version["version"] for version in shown["versions"]] == [1, 2]
    assert shown["aliases"] == {"prod": [{"version": 2, "weight": 1.0}]}

    question = {"x": data["x"][0].tolist()}
    now = deployment.http.post("/models/wide/predict", json=question).json()["predictions"][0]["y"]
    before = deployment.http.post("/models/wide/versions/1/predict", json=question).json()["predictions"][0][
        "y"
    ]
    w, v = (numpy_helper.to_array(tensor) for tensor in model.graph.initializer)
    np.testing.assert_allclose(before, np.tanh(data["x"][0] @ w) @ v, rtol=1e-4, atol=1e-2)
    assert now != before
    assert np.argmax(now) == np.argmax(before) == data["label"][0]


@pytest.mark.parametrize("command", [("train", "tabular-mlp"), ("press", "model.onnx", "--data", "rows.csv")])
def test_what_cannot_be_published_is_told_before_the_work(
    deployment, tmp_path: Path, command: tuple[str, ...]
):
    options = ("--publish", "later", "--state", str(tmp_path))
    done = deployment.coldpress(*command, *options, "--key", "cp_unknown")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: unknown API key; create one with: coldpress keys create")
    done = deployment.coldpress(*command, *options, "--url", "http://127.0.0.1:9")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: cannot reach http://127.0.0.1:9; ")
    assert list(tmp_path.iterdir()) == []

"""The main path, through the command line and HTTP: publish, predict, roll forward and back."""

import json
import time

from . import onnx_models


def test_a_published_model_answers_in_every_form(deployment, saved):
    published = deployment.publish("linear", saved(onnx_models.linear()))
    assert published.returncode == 0, published.stderr
    assert published.stdout == "1\n"

    plain = deployment.http.post("/models/linear/predict", json={"x": [1, 2, 3]})
    assert plain.json() == {"predictions": [{"y": [2.0, 4.0, 6.0]}]}
    assert plain.headers["x-model-version"] == "linear/1"
    assert "infer;dur=" in plain.headers["server-timing"]
    assert plain.headers["x-request-id"]

    rows = deployment.http.post("/models/linear/predict", json=[[1, 2, 3], [4, 5, 6]])
    assert rows.json() == {"predictions": [{"y": [2.0, 4.0, 6.0]}, {"y": [8.0, 10.0, 12.0]}]}

    request = {"id": "7", "inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]}]}
    assert deployment.http.post("/v2/models/linear/infer", json=request).json() == {
        "model_name": "linear",
        "model_version": "1",
        "id": "7",
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [1, 3], "data": [2.0, 4.0, 6.0]}],
    }
    rows = deployment.http.post("/v1/models/linear:predict", json={"instances": [[1, 2, 3]]})
    assert rows.json() == {"predictions": [[2.0, 4.0, 6.0]]}

    assert deployment.http.get("/v2/models/linear").json() == {
        "name": "linear",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "x", "datatype": "FP32", "shape": [-1, 3]}],
        "outputs": [{"name": "y", "datatype": "FP32", "shape": [-1, 3]}],
    }
    assert deployment.http.get("/v2/models/linear/ready").json() == {"name": "linear", "ready": True}


def test_text_goes_in_raw_and_comes_out_of_the_shell(deployment, saved):
    assert deployment.publish("shouting", saved(onnx_models.shouting())).returncode == 0
    answer = deployment.http.post(
        "/models/shouting/predict", content="grüße, world", headers={"content-type": "text/plain"}
    )
    assert answer.json() == {"predictions": [{"shouted": "GRÜSSE, WORLD"}]} or answer.json() == {
        "predictions": [{"shouted": "GRÜßE, WORLD"}]
    }
    shell = deployment.coldpress("predict", "shouting", "hello", "--json")
    assert shell.returncode == 0, shell.stderr
    assert json.loads(shell.stdout) == {"predictions": [{"shouted": "HELLO"}]}


def test_a_new_version_takes_over_and_a_rollback_gives_back(deployment, saved):
    for factor in (2.0, 3.0):
        assert deployment.publish("rolling", saved(onnx_models.linear(factor))).returncode == 0

    def answer(path: str) -> list[float]:
        return deployment.http.post(path, json=[1, 1, 1]).json()["predictions"][0]["y"]

    assert answer("/models/rolling/predict") == [3.0] * 3
    assert answer("/models/rolling/versions/1/predict") == [2.0] * 3

    moved = deployment.coldpress("promote", "rolling", "1", "--alias", "stable")
    assert moved.returncode == 0, moved.stderr
    assert answer("/models/rolling@stable/predict") == [2.0] * 3

    back = deployment.coldpress("rollback", "rolling")
    assert back.returncode == 0, back.stderr
    shown = json.loads(deployment.coldpress("show", "rolling", "--json").stdout)
    assert [version["version"] for version in shown["versions"]] == [1, 2]
    assert shown["aliases"]["prod"] == [{"version": 1, "weight": 1.0}]
    assert "rolling" in deployment.coldpress("models").stdout


def test_a_file_copied_into_the_store_is_an_upload_too(deployment):
    deployment.objects.put("incoming/copied/any.onnx", onnx_models.linear(5.0).SerializeToString())
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        answer = deployment.http.post("/models/copied/predict", json=[1, 1, 1])
        if answer.status_code == 200:
            break
        time.sleep(0.1)
    assert answer.json() == {"predictions": [{"y": [5.0] * 3}]}

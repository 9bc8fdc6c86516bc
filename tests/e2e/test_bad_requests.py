"""Predictions that cannot be answered: a status, and a message that names what came and what fits."""

import pytest

from . import onnx_models


@pytest.fixture(scope="module")
def linear(deployment, tmp_path_factory):
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(onnx_models.linear().SerializeToString())
    assert deployment.publish("bad-requests", path).returncode == 0
    return "/v2/models/bad-requests/infer"


def tensor(**changes):
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1, 2, 3]} | changes]}


CASES = {
    "wrong datatype": (tensor(datatype="INT64"), ["x", "FP32", "INT64"]),
    "no such datatype": (tensor(datatype="FLOAT"), ["FLOAT"]),
    "wrong rank": (tensor(shape=[3]), ["x"]),
    "wrong dimension": (tensor(shape=[1, 4], data=[1, 2, 3, 4]), ["x"]),
    "too few values": (tensor(data=[1, 2]), ["x", "3", "2"]),
    "text for numbers": (tensor(data=["1", "2", "3"]), ["x", "FP32", "'1'"]),
    "ragged": (tensor(data=[[1, 2], 3]), ["x"]),
    "unknown input": (tensor(name="z"), ["z"]),
    "missing input": ({"inputs": []}, ["inputs"]),
    "unknown output": (tensor() | {"outputs": [{"name": "nope"}]}, ["nope"]),
    "huge shape": (tensor(shape=[1 << 40, 1 << 40]), ["x"]),
}


@pytest.mark.parametrize("case", CASES)
def test_named_in_the_message(deployment, linear, case):
    request, words = CASES[case]
    answer = deployment.http.post(linear, json=request)
    assert answer.status_code in (400, 413), answer.text
    assert list(answer.json()) == ["error"]
    for word in words:
        assert word in answer.json()["error"]


@pytest.mark.parametrize("body", [b"{", b"", b"[1, 2", b"\xff\xfe", b"[" * 200_000, b"nul"])
def test_malformed_json(deployment, linear, body):
    answer = deployment.http.post(linear, content=body)
    assert answer.status_code == 400, answer.text
    assert list(answer.json()) == ["error"]


def test_unknown_model_version_and_route(deployment, linear):
    for path in ("/v2/models/unknown", "/v2/models/bad-requests/versions/99", "/v2/nothing"):
        answer = deployment.http.get(path)
        assert answer.status_code == 404, path
        assert list(answer.json()) == ["error"]
    answer = deployment.http.get("/nothing")
    assert (answer.status_code, *answer.json()) == deployment.differs.unknown_route
    assert deployment.http.get(linear).status_code == 405
    assert deployment.http.post("/models/bad-requests@unknown/predict", json=[1, 2, 3]).status_code == 404


def test_a_body_over_the_limit(deployment, linear):
    answer = deployment.http.post(linear, content=b" " * (11 << 20))
    assert (answer.status_code, next(iter(answer.json()))) == deployment.differs.body_over_limit

"""No key, a wrong key, a revoked key, and a key that may do less."""

import httpx
import pytest

from . import onnx_models
from .targets.deployment import client


@pytest.mark.parametrize("path", ["/v2", "/v2/models/any", "/models", "/models/any"])
def test_no_key_and_a_wrong_key(deployment, path):
    for headers in ({}, {"x-api-key": "cp_wrong"}, {"authorization": "Bearer cp_wrong"}):
        answer = httpx.get(deployment.url + path, headers=headers)
        assert answer.status_code == 401
        assert list(answer.json()) == ["error"]
        assert "key" in answer.json()["error"]
        assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json"])
def test_open_to_all(deployment, path):
    assert httpx.get(deployment.url + path).status_code == 200


def test_scopes(deployment, saved):
    for name in ("scoped-a", "other"):
        assert deployment.publish(name, saved(onnx_models.linear())).returncode == 0
    made = deployment.keys("create", "--models", "scoped-*")
    assert made.returncode == 0, made.stderr
    key = next(word for word in made.stdout.split() if word.startswith("cp_"))
    with client(deployment.url, key) as http:
        assert http.post("/models/scoped-a/predict", json=[1, 2, 3]).status_code == 200
        refused = http.post("/models/other/predict", json=[1, 2, 3])
        assert refused.status_code == 403
        assert "predict:other" in refused.json()["error"]
        assert http.post("/uploads", json={"model": "m", "filename": "m.onnx"}).status_code == 403

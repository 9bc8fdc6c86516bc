"""`kill -9` at the worst moment: what was accepted is finished after the restart, once; nothing is lost."""

import time

import pytest

from coldpress_ops import serverprocess

from . import onnx_models
from .targets import local
from .targets.deployment import client


def _eventually(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        found = condition()
        if found:
            return found
        time.sleep(0.02)
    raise AssertionError("did not come true in time")


@pytest.mark.parametrize("delay", [0.0, 0.15, 0.4])
def test_killed_in_the_middle_of_an_ingest(tmp_path, delay):
    content = onnx_models.big().SerializeToString()
    server = serverprocess.start(tmp_path)
    with client(server.url, server.key) as http:
        opened = http.post("/uploads", json={"model": "big", "filename": "model.onnx"})
        assert opened.status_code == 201, opened.text
        upload = opened.json()
        assert http.put(upload["url"], content=content, headers=upload["headers"]).status_code == 200
        progress = tmp_path / "objects" / "models" / "big" / "uploads"
        _eventually(progress.is_dir)
        time.sleep(delay)
    server.kill()

    with serverprocess.running(tmp_path) as server, client(server.url, server.key) as http:

        def ready():
            state = http.get(f"/uploads/{upload['id']}").json()
            return state if state["state"] in ("ready", "rejected") else None

        state = _eventually(ready)
        assert state["state"] == "ready", state
        assert [v["version"] for v in http.get("/models/big").json()["versions"]] == [state["version"]]
        answer = http.post("/models/big/predict", json=[0.0] * 1024)
        assert answer.status_code == 200
        assert set(answer.json()["predictions"][0]["y"]) == {0.0}


def test_state_survives_a_restart(tmp_path, saved):
    path = saved(onnx_models.linear(7.0))
    server = serverprocess.start(tmp_path)
    key = server.key
    with client(server.url, key) as http:
        assert local.at(server, http).publish("kept", path).returncode == 0
    server.kill()
    with serverprocess.running(tmp_path) as server, client(server.url, key) as http:
        assert server.key == key
        answer = http.post("/models/kept/predict", json=[1, 1, 1])
        assert answer.json() == {"predictions": [{"y": [7.0] * 3}]}

"""Invocations in containers of their own, the limits that the template sets, and how long it all takes."""

import json
import statistics
import subprocess
import time

import httpx
import pytest

from ..e2e import onnx_models
from ..e2e.targets.notifications import message
from ..e2e.targets.sam import BUCKET

pytestmark = [pytest.mark.container, pytest.mark.target("sam")]


def request(path: str, body: object, key: str) -> dict:
    """An HTTP API's event."""
    return {
        "version": "2.0",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"x-api-key": key, "content-type": "application/json"},
        "requestContext": {"http": {"method": "POST", "path": path}, "requestId": "r-1"},
        "body": json.dumps(body),
        "isBase64Encoded": False,
    }


def put(deployment, name, model):
    """A copy into the bucket by hand, which the deployment ingests; returns when it answers."""
    key = f"incoming/{name}/model.onnx"
    content = model.SerializeToString()
    deployment.objects.put(key, content)
    deadline = time.monotonic() + 60
    while not deployment.objects.under(f"models/{name}/aliases"):
        assert time.monotonic() < deadline, f"{name} was not ingested"
        time.sleep(0.1)
    return key, len(content)


def test_an_event_that_comes_again_changes_nothing(deployment, sam_built):
    key, size = put(deployment, "twice", onnx_models.linear())
    before = deployment.objects.under("models/twice")
    assert sam_built.invoke("IngestFunction", message(BUCKET, key, size, "any")) == {"batchItemFailures": []}
    assert deployment.objects.under("models/twice") == before


def test_an_event_of_an_upload(sam_built):
    """Without a deployment that watches: this container is the only one to see it."""
    content = onnx_models.linear(3.0).SerializeToString()
    # Below a prefix that is watched it would be ingested twice; the handler takes keys from the event alone.
    sam_built.objects.put("incoming/invoked/model.onnx", content)
    event = message(BUCKET, "incoming/invoked/model.onnx", len(content), "any")
    assert sam_built.invoke("IngestFunction", event) == {"batchItemFailures": []}
    manifest = json.loads(
        sam_built.objects.under("models/invoked")["models/invoked/versions/1/manifest.json"]
    )
    assert (manifest["model"], manifest["version"]) == ("invoked", 1)


def test_a_container_has_the_templates_memory(deployment, sam_built):
    assert deployment.http.get("/v2/health/live").status_code == 200
    listed = subprocess.run(
        ["docker", "ps", "--quiet"], env=sam_built.environment, capture_output=True, text=True, check=True
    ).stdout.split()
    limits = subprocess.run(
        ["docker", "inspect", "--format", "{{.HostConfig.Memory}}", *listed],
        env=sam_built.environment,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split()
    assert str(1769 << 20) in limits


def test_a_model_too_large_for_the_memory(deployment, sam_built):
    put(deployment, "large", onnx_models.big(100))
    event = request("/models/large/predict", [0.0] * 1024, deployment.key)
    answer = sam_built.invoke("PredictFunction", event, PredictFunction={"MemorySize": 128})
    assert answer["statusCode"] == 503
    assert "at most 77 MiB" in json.loads(answer["body"])["error"]


def test_a_run_that_takes_too_long(deployment, sam_built):
    put(deployment, "endless", onnx_models.counting())
    counts = {"name": "n", "datatype": "INT64", "shape": [1], "data": [1 << 40]}
    event = request("/v2/models/endless/infer", {"inputs": [counts]}, deployment.key)
    answer = sam_built.invoke("PredictFunction", event, PredictFunction={"Timeout": 5})
    assert answer["statusCode"] == 503
    assert "time" in json.loads(answer["body"])["error"]


def test_cold_and_warm(deployment, sam_built, capsys):
    put(deployment, "timed", onnx_models.linear())
    seconds, timings = [], []
    with (
        sam_built.started("start-api", sam_built.template("timed")) as url,
        httpx.Client(base_url=url, headers={"x-api-key": deployment.key}, timeout=60) as http,
    ):
        for _ in range(51):
            started = time.perf_counter()
            answer = http.post("/models/timed/predict", json=[1, 2, 3])
            seconds.append(time.perf_counter() - started)
            assert answer.json() == {"predictions": [{"y": [2.0, 4.0, 6.0]}]}
            timings.append(answer.headers["server-timing"].rpartition("dur=")[2])
    cold, *warm = (1000 * each for each in seconds)
    with capsys.disabled():
        print(
            f"\nsam local: first answer {cold:.0f} ms with the start of its container, of which the handler "
            f"{timings[0]} ms; then p50 {statistics.median(warm):.0f} ms and at worst {max(warm):.0f} ms, of "
            f"which the handler {timings[-1]} ms"
        )

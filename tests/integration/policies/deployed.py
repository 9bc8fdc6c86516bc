"""The functions and training jobs on a real S3 server, each behind a recorder of its own, and all they do."""

import csv
import io
import json
import os
import random
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import quote_plus

import numpy as np
import onnx
from onnx import numpy_helper, parser

from coldpress import access
from coldpress.store import Store

from ...support import batch, cloudformation, seaweedfs
from .recorder import Recorder, recording

FUNCTIONS = Path(__file__).resolve().parents[3] / "functions"
NAMES = ("predict", "api", "ingest", "train")
LONGEST = 240
"""Seconds that anything may take."""
HEADER = '<ir_version: 10, opset_import: ["" : 20]>'
SCALE = HEADER + " g (float[n,4] x) => (float[n,4] y) { two = Constant<value_float=2.0>() y = Mul (x, two) }"
WIDE = HEADER + " g (float[n,1800] x) => (float[n,1800] y) { y = MatMul (x, w) }"
X = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}]}


class Deployed:
    """Functions by name, and what each has asked S3 for."""

    def __init__(self, endpoint: str, bucket: str, stack: ExitStack) -> None:
        self.recorders: dict[str, Recorder] = {}
        self._processes: dict[str, subprocess.Popen[str]] = {}
        self._calling = threading.Lock()
        self.key = ""
        self.recorders["job"] = stack.enter_context(recording(endpoint))
        variables = seaweedfs.variables(self.recorders["job"].url) | {"COLDPRESS_STORE": bucket}
        self.batch = stack.enter_context(batch.running(_definitions(), variables, self._tell))
        for name in NAMES:
            self.recorders[name] = stack.enter_context(recording(endpoint))
            more = {"AWS_ENDPOINT_URL_BATCH": f"{self.batch.url}/{name}"}
            self._processes[name] = stack.enter_context(
                _process(name, bucket, self.recorders[name].url, more)
            )

    def _tell(self, event: dict[str, Any]) -> None:
        """A job's event, twice: they are delivered at least once."""
        for _ in range(2):
            self.call("train", event)

    def call(self, name: str, event: dict[str, Any]) -> dict[str, Any]:
        """Invokes a function."""
        process = self._processes[name]
        assert process.stdin
        assert process.stdout
        with self._calling:  # one event at a time, as Lambda gives an environment
            process.stdin.write(json.dumps(event) + "\n")
            process.stdin.flush()
            answer: dict[str, Any] = json.loads(process.stdout.readline())
        return answer

    def http(
        self, name: str, method: str, path: str, body: Any = None, key: str | None = None
    ) -> tuple[int, Any]:
        """Invokes a function as an HTTP API does."""
        context = {"http": {"method": method, "path": path, "sourceIp": "1.2.3.4"}, "stage": "$default"}
        answer = self.call(name, {
            "version": "2.0", "rawPath": path, "rawQueryString": "", "isBase64Encoded": False,
            "headers": {"x-api-key": self.key if key is None else key, "host": "h"},
            "requestContext": context | {"requestId": "r"}, "body": json.dumps(body) if body else "",
        })  # fmt: skip
        is_json = "json" in answer["headers"].get("content-type", "")
        return answer["statusCode"], json.loads(answer["body"]) if is_json else answer["body"]

    def upload(self, model: str, data: bytes) -> dict[str, Any]:
        """`POST /uploads` and the PUT to the URL that it answers."""
        status, ticket = self.http("api", "POST", "/uploads", {"model": model, "filename": "m.onnx"})
        assert status == 201, ticket
        request = urllib.request.Request(ticket["url"], data, method="PUT")
        with urllib.request.urlopen(request, timeout=30) as answer:
            assert answer.status == 200
        found: dict[str, Any] = ticket
        return found

    def ingest(self, key: str) -> dict[str, Any]:
        """The event of an uploaded object, as the queue delivers it."""
        created = {"eventName": "ObjectCreated:Put", "s3": {"object": {"key": quote_plus(key)}}}
        body = json.dumps({"Records": [created]})
        return self.call("ingest", {"Records": [{"messageId": "1", "body": body}]})

    def state(self, upload: str) -> str:
        """As `GET /uploads/{id}` tells it."""
        return str(self.http("api", "GET", f"/uploads/{upload}")[1]["state"])


def _definitions() -> dict[str, Any]:
    """The template's job definitions, by name."""
    given = {"Stage": "dev", "Store": "b", "TrainFunction": "f", "Vpc": "v", "Subnets": "s"}
    found = cloudformation.training(**given).values()
    rows = [each["Properties"] for each in found if each["Type"] == "AWS::Batch::JobDefinition"]
    return {row["JobDefinitionName"]: row for row in rows}


@contextmanager
def _process(name: str, bucket: str, endpoint: str, more: dict[str, str]) -> Iterator[subprocess.Popen[str]]:
    environment = seaweedfs.without_aws() | seaweedfs.variables(endpoint) | more
    environment |= {"COLDPRESS_STORE": bucket, "COLDPRESS_ALIAS_SECONDS": "0"}
    environment |= {"COLDPRESS_TRAINING": "coldpress-dev"} if name in ("api", "train") else {}
    command = [sys.executable, str(Path(__file__).with_name("invoke.py")), str(FUNCTIONS / name)]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment, text=True
    )
    try:
        yield process
    finally:
        process.communicate(timeout=30)


@contextmanager
def used(folder: Path) -> Iterator[Deployed]:
    """After everything that people do with a deployment has been done."""
    with ExitStack() as stack:
        endpoint = stack.enter_context(seaweedfs.running(folder))
        bucket = seaweedfs.new_bucket(endpoint)
        before = dict(os.environ)
        os.environ.update(seaweedfs.variables(endpoint))
        try:
            store = Store(bucket)
            made = Deployed(endpoint, bucket, stack)
            made.key, _ = access.create_key(store, ("admin",))
            publish(made, store)
            refuse(made)
            predict(made)
            manage(made)
            train(made, store)
        finally:
            os.environ.clear()
            os.environ.update(before)
        yield made


def publish(made: Deployed, store: Store) -> None:
    ticket = made.upload("m", small())
    assert made.state(ticket["id"]) == "received"
    for _ in range(2):  # the second event is a repetition
        assert made.ingest(ticket["key"]) == {"batchItemFailures": []}
    assert made.state(ticket["id"]) == "ready"
    store.overwrite("incoming/m/by-hand.onnx", small())
    assert made.ingest("incoming/m/by-hand.onnx") == {"batchItemFailures": []}
    # A part that does not get through fails the attempt; the event's redelivery repairs it.
    ticket = made.upload("wide", wide())
    recorder = made.recorders["ingest"]
    recorder.refuses = lambda method, target: method == "PUT" and "partNumber=2" in target
    assert made.ingest(ticket["key"]) == {"batchItemFailures": [{"itemIdentifier": "1"}]}
    recorder.refuses = lambda _method, _target: False
    assert made.ingest(ticket["key"]) == {"batchItemFailures": []}
    assert made.state(ticket["id"]) == "ready"


def refuse(made: Deployed) -> None:
    ticket = made.upload("m", b"no model")
    assert made.ingest(ticket["key"]) == {"batchItemFailures": []}
    assert made.state(ticket["id"]) == "rejected"
    assert made.ingest("incoming/UPPER/m.onnx") == {"batchItemFailures": []}
    status, ticket = made.http("api", "POST", "/uploads", {"model": "m", "filename": "late.onnx"})
    assert (status, made.state(ticket["id"])) == (201, "waiting")
    assert made.ingest(ticket["key"]) == {"batchItemFailures": []}  # an event for an object that is gone


def predict(made: Deployed) -> None:
    for _ in range(2):  # the second one asks whether the alias has moved
        assert made.http("predict", "POST", "/v2/models/m/infer", X)[0] == 200
    assert made.http("predict", "POST", "/models/m/versions/1/predict", [[1, 2, 3, 4]])[0] == 200
    assert made.http("predict", "POST", "/v1/models/m:predict", {"instances": [[1, 2, 3, 4]]})[0] == 200
    assert made.http("predict", "GET", "/v2/models/wide/ready")[0] == 200
    for path in (
        "/v2/health/live",
        "/v2/health/ready",
        "/v2",
        "/v2/models/m",
        "/v2/models/m/config",
        "/v1/models",
    ):
        assert made.http("predict", "GET", path)[0] == 200, path
    assert made.http("predict", "POST", "/v2/repository/index")[0] == 200
    assert made.http("predict", "GET", "/v2/models/nowhere")[0] == 404
    assert made.http("predict", "GET", "/v2/models/m/versions/9")[0] == 404
    assert made.http("predict", "GET", "/v2/models/m", key="cp_unknown")[0] == 401


def manage(made: Deployed) -> None:
    for path in ("/", "/docs", "/models", "/models/m", "/models/m/versions", "/models/m/versions/1"):
        assert made.http("api", "GET", path)[0] == 200, path
    for path in (
        "/models/nowhere",
        "/models/m/versions/9",
        "/models/m/aliases/nowhere",
        "/uploads/m.nothing",
    ):
        assert made.http("api", "GET", path)[0] == 404, path
    alias = "/models/m/aliases/prod"
    split = {"routes": [{"version": 1, "weight": 0.9}, {"version": 2, "weight": 0.1}]}
    assert made.http("api", "PUT", alias, split)[0] == 200
    assert made.http("api", "POST", f"{alias}/rollback")[0] == 200
    assert made.http("api", "PUT", "/models/m/aliases/canary", split)[0] == 200
    assert made.http("api", "GET", "/models", key="cp_unknown")[0] == 401


def train(made: Deployed, store: Store) -> None:
    """An order beside its data; the machine goes away in the middle; the result is published and asked."""
    store.create("datasets/films/films.csv", reviews())
    settings = {"epochs": 30, "patience": 30, "restarts": 1}
    order = {"recipe": "text-classifier", "data": "films.csv", "settings": settings, "publish": "films"}
    store.create("datasets/films/train.json", json.dumps(order).encode())
    put = {"source": "aws.s3", "detail-type": "Object Created"}
    put |= {"detail": {"object": {"key": "datasets/films/train.json"}}}
    ids = {made.call("train", put)["run"] for _ in range(2)}
    assert len(ids) == len(made.batch.jobs) == 1, "an order that is told of twice is one run"
    ((run_id,), (job,)) = ids, made.batch.jobs.values()
    waited_for(lambda: any(store.walk(f"runs/{run_id}/checkpoints")) or job.over.is_set())
    job.end(batch.HOST_LOST)
    assert job.over.wait(LONGEST)
    status, run = made.http("api", "GET", f"/runs/{run_id}")
    assert (status, run["state"], run["reason"], run["attempts"]) == (200, "succeeded", "", 2)
    assert (run["started"] < run["ended"], run["image"], run["job"]) == (True, "coldpress:test", job.id)
    log = made.http("api", "GET", f"/runs/{run_id}/logs")[1]["text"]
    assert "uploaded as films." in log
    # The second attempt went on where the first had been.
    read = [call for call in made.recorders["job"].calls if call.method == "GET" and ".pt" in call.target]
    assert {call.status for call in read} & {200, 206}
    assert made.state(run["upload"]) == "received"
    token = run["upload"].removeprefix("films.")
    assert made.ingest(f"incoming/films/{token}/model.onnx") == {"batchItemFailures": []}
    status, answer = made.http("predict", "POST", "/models/films/predict", ["a wonderful lovely film"])
    assert (status, len(answer["predictions"])) == (200, 1)
    # An order that is none; the clock; a run that is stopped, and one that fails.
    store.create("datasets/bad/train.json", b"{}")
    bad = put | {"detail": {"object": {"key": "datasets/bad/train.json"}}}
    assert "names no recipe" in made.call("train", bad)["rejected"]
    assert "names no recipe" in store.get("datasets/bad/train.json.rejected").data.decode()
    assert made.call("train", {"source": "aws.events", "detail-type": "Scheduled Event"})["QueuedRuns"] == 0
    stop(made)
    fail(made)


def stop(made: Deployed) -> None:
    status, run = made.http("api", "POST", "/runs", {"recipe": "text-classifier", "minutes": 5})
    assert status == 201
    job = made.batch.jobs[run["job"]]
    assert job.running.wait(LONGEST)
    assert made.http("api", "DELETE", f"/runs/{run['id']}")[1]["stop"] is True
    assert job.over.wait(LONGEST)
    run = made.http("api", "GET", f"/runs/{run['id']}")[1]
    assert (run["state"], run["reason"]) == ("stopped", "stopped on request")
    assert made.http("api", "DELETE", f"/runs/{run['id']}")[0] == 409


def fail(made: Deployed) -> None:
    status, run = made.http("api", "POST", "/runs", {"recipe": "text-classifier", "data": "datasets/none/"})
    assert status == 201
    job = made.batch.jobs[run["job"]]
    assert job.over.wait(LONGEST)
    run = made.http("api", "GET", f"/runs/{run['id']}")[1]
    assert (run["state"], run["attempts"]) == ("failed", 1), "what cannot be cured is not tried again"
    assert run["reason"].startswith("there is nothing at datasets/none/")
    assert run["id"] in [row["id"] for row in made.http("api", "GET", "/runs")[1]["runs"]]


def waited_for(come: Callable[[], bool]) -> None:
    deadline = time.monotonic() + LONGEST
    while not come():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def reviews() -> bytes:
    """Films that a few words give away."""
    words, text = random.Random(0), io.StringIO()  # noqa: S311
    kinds = {"good": "great lovely fine superb wonderful", "bad": "awful boring terrible poor dull"}
    rows = csv.writer(text)
    rows.writerow(["text", "label"])
    for number in range(200):
        label = ("good", "bad")[number % 2]
        told = words.sample(kinds[label].split(), 2) + words.sample(
            ["the", "film", "a", "plot", "an", "actor", "it", "is"], 4
        )
        rows.writerow([" ".join(told), label])
    return text.getvalue().encode()


def small() -> bytes:
    return bytes(parser.parse_model(SCALE).SerializeToString())


def wide() -> bytes:
    """Large enough to be stored in parts."""
    model: onnx.ModelProto = parser.parse_model(WIDE)
    weights = np.random.default_rng(0).normal(size=(1800, 1800)).astype(np.float32)
    model.graph.initializer.append(numpy_helper.from_array(weights, "w"))
    return bytes(model.SerializeToString())

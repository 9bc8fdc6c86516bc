"""What a request leaves in the log."""

import json
import time

import pytest

from .conftest import Plane, mlp


def test_the_line_of_a_request(plane: Plane, capsys: pytest.CaptureFixture[str]) -> None:
    plane.publish("m", 1, mlp())
    body = json.dumps([1, 2, 3, 4])
    traced = {"x-amzn-trace-id": "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=5;Sampled=1"}
    answer = plane.predict("m", body, headers=traced)
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert {name: line[name] for name in ("service", "model", "version", "status", "request_id")} == {
        "service": "coldpress-predict", "model": "m", "version": 1, "status": 200, "request_id": "r",
    }  # fmt: skip
    assert line["xray_trace_id"] == "1-5759e988-bd862e3fe1be46a994272793"
    assert line["BytesIn"] == len(body)
    assert line["BytesOut"] == len(json.dumps(answer.body, separators=(",", ":")))
    for stage in ("Access", "Resolve", "Fetch", "Open", "Decode", "Infer", "Encode"):
        assert 0 < line[f"{stage}Time"] < line["Duration"]
    assert "QueueTime" not in line
    # A refusal has its bytes and its trace too.
    traced = {"x-amzn-trace-id": "Root=1-0-a"}
    event = {
        "rawPath": "/models/m/predict",
        "headers": {"x-api-key": plane.key} | traced,
        "requestContext": {"http": {"method": "POST"}, "timeEpoch": time.time() * 1000 - 250},
        "body": "[1]",
    }
    assert plane.plane.answer(event)["statusCode"] == 400
    line = json.loads(capsys.readouterr().out.splitlines()[-1])
    assert (line["xray_trace_id"], line["status"], line["BytesIn"]) == ("1-0-a", 400, 3)
    assert line["BytesOut"] > 0
    assert line["QueueTime"] >= 250

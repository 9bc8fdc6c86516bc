"""One line of metrics a request, and headers that name and time it."""

import json
from typing import Any


def test_one_line_a_request(api: Any, capsys: Any) -> None:
    api.call("GET", "/models")
    api.call("POST", "/uploads", "{")
    first, second = (json.loads(line) for line in capsys.readouterr().out.splitlines())

    for line in (first, second):
        assert line["_aws"].pop("Timestamp") > 1_700_000_000_000
        (duration,) = line.pop("Duration")
        assert duration > 0
    embedded = {
        "CloudWatchMetrics": [
            {
                "Namespace": "Coldpress",
                "Dimensions": [["service"]],
                "Metrics": [
                    {"Name": "Duration", "Unit": "Milliseconds"},
                    {"Name": "ColdStart", "Unit": "Count"},
                ],
            }
        ]
    }
    assert first == {
        "_aws": embedded,
        "service": "coldpress-api",
        "method": "GET",
        "path": "/models",
        "status": 200,
        "request_id": "BXqYKhCfliAEPhA=",
        "ColdStart": [1.0],
    }
    assert second == first | {"method": "POST", "path": "/uploads", "status": 400, "ColdStart": [0.0]}


def test_headers_of_every_answer(api: Any) -> None:
    for method, path in (("GET", "/"), ("GET", "/models"), ("GET", "/nowhere"), ("PUT", "/models")):
        headers = api.call(method, path).headers
        assert headers["x-request-id"] == "BXqYKhCfliAEPhA="
        name, _, milliseconds = headers["server-timing"].partition(";dur=")
        assert name == "total"
        assert float(milliseconds) >= 0

"""TensorFlow Serving's REST API as people call it: literal requests over real HTTP, no client in between."""

import http.client
import json
from typing import Any

import pytest

from .conftest import Served


def ask(served: Served, method: str, path: str, body: str | bytes | None = None, **headers: str) -> Any:
    """Status, headers and body, with nothing added that was not asked for."""
    host, _, base = served.url.partition("/")
    connection = http.client.HTTPConnection(host, timeout=30)
    sent = served.headers | {name.replace("_", "-"): value for name, value in headers.items()}
    connection.request(method, f"/{base}{path}" if base else path, body, sent)
    answer = connection.getresponse()
    received = answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read()
    connection.close()
    return received


@pytest.mark.parametrize(
    ("verb", "body", "expected"),
    [
        ("predict", '{"instances": [[1.0, 2.0, 5.0]]}', {"predictions": [[1.0, 2.0, 5.0]]}),
        (
            "predict",
            '{"signature_name": "serving_default", "instances": [{"x": [1, 2, 5]}, {"x": [3, 4, 0]}]}',
            {"predictions": [[1.0, 2.0, 5.0], [3.0, 4.0, 0.0]]},
        ),
        ("predict", '{"inputs": [[1.0, 2.0, 5.0]]}', {"outputs": [[1.0, 2.0, 5.0]]}),
        ("predict", '{"inputs": {"x": [[1.0, 2.0, 5.0]]}}', {"outputs": [[1.0, 2.0, 5.0]]}),
        (
            "classify",
            '{"examples": [{"x": [1, 2, 5]}]}',
            {"results": [[["cat", 1.0], ["dog", 2.0], ["cow", 5.0]]]},
        ),
    ],
)
@pytest.mark.parametrize("of", ["scores", "scores/versions/1", "scores/labels/prod"])
def test_requests(served: Served, of: str, verb: str, body: str, expected: Any) -> None:
    status, headers, answer = ask(served, "POST", f"/v1/models/{of}:{verb}", body)
    assert (status, headers["content-type"], json.loads(answer)) == (200, "application/json", expected)


def test_nan_and_infinity(served: Served) -> None:
    body = '{"instances": [[NaN, -Infinity, 1]]}'
    status, _, answer = ask(served, "POST", "/v1/models/scores:predict", body)
    assert (status, answer) == (200, b'{"predictions":[[NaN,-Infinity,1.0]]}')


def test_status_and_metadata(served: Served) -> None:
    for path in ("/v1/models/scores", "/v1/models/scores/versions/1", "/v1/models/scores/labels/prod"):
        status, _, answer = ask(served, "GET", path)
        assert status == 200
        assert json.loads(answer) == {
            "model_version_status": [
                {"version": "1", "state": "AVAILABLE", "status": {"error_code": "OK", "error_message": ""}}
            ],
            "name": "scores",
            "ready": True,
        }
        _, _, answer = ask(served, "GET", f"{path}/metadata")
        signature = json.loads(answer)["metadata"]["signature_def"]["signature_def"]["serving_default"]
        assert signature["inputs"]["x"]["dtype"] == "DT_FLOAT"
    assert json.loads(ask(served, "GET", "/")[2]) == {"status": "alive"}
    assert {"scores", "mirror"} <= set(json.loads(ask(served, "GET", "/v1/models")[2])["models"])


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "message"),
    [
        (
            "POST",
            "/v1/models/nothing:predict",
            '{"instances": [1]}',
            404,
            "model 'nothing' has no alias 'prod'",
        ),
        ("GET", "/v1/models/nothing", None, 404, "model 'nothing' has no alias 'prod'"),
        ("GET", "/v1/models/scores/versions/9", None, 404, "model 'scores' has no version 9"),
        ("POST", "/v1/models/scores:predict", '{"instances": [[1, 2], [3]]}', 400, "is ragged"),
        ("POST", "/v1/models/scores:predict", '{"instances": [[1, "2", 3]]}', 400, "takes numbers"),
        ("POST", "/v1/models/scores:predict", '{"instances": [[1, 16777217, 3]]}', 400, "loses precision"),
        ("POST", "/v1/models/scores:predict", '{"instances": [[1, 2]]}', 400, "has shape [-1, 3]"),
        ("POST", "/v1/models/scores:predict", "{", 400, "the body is no JSON"),
        ("POST", "/v1/models/scores:regress", '{"examples": [{"x": [1, 2, 3]}]}', 400, "cannot regress"),
        ("GET", "/v1/models/scores:predict", None, 405, "takes POST, not GET"),
        ("POST", "/v1/models/scores:explain", "{}", 404, "no route"),
    ],
)
def test_errors(served: Served, method: str, path: str, body: Any, status: int, message: str) -> None:
    found, headers, answer = ask(served, method, path, body)
    assert (found, headers["content-type"], list(json.loads(answer))) == (
        status,
        "application/json",
        ["error"],
    )
    assert message in json.loads(answer)["error"]


# ------------------------------------------------------------------------------ v2, as bytes on the wire
def test_a_raw_body_on_the_wire(served: Served) -> None:
    data = b"\0\0\x80\x3f\0\0\0\x40\0\0\x40\x40"
    status, headers, answer = ask(
        served, "POST", "/v2/models/scores/infer", data, inference_header_content_length="0"
    )
    length = int(headers["inference-header-content-length"])
    assert (status, headers["content-type"], answer[length:]) == (200, "application/octet-stream", data)
    assert json.loads(answer[:length])["outputs"] == [
        {"name": "scores", "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": 12}}
    ]


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/models/scores", "/v1/models/scores"])
def test_head(served: Served, path: str) -> None:
    status, headers, answer = ask(served, "HEAD", path)
    assert (status, headers["content-type"], answer) == (200, "application/json", b"")


def test_get_answers_stay_plain_whatever_is_accepted(served: Served) -> None:
    _, headers, answer = ask(served, "GET", "/v2", accept_encoding="br, gzip, deflate")
    assert "content-encoding" not in headers
    assert json.loads(answer)["name"] == "coldpress"


def test_an_unknown_content_encoding(served: Served) -> None:
    status, headers, _ = ask(served, "POST", "/v2/models/scores/infer", b"{}", content_encoding="br")
    assert (status, headers["accept-encoding"]) == (400, "gzip, deflate")

"""Every error is one sentence in `{"error": …}`."""

import json
from typing import Any

import pytest

from coldpress.registry import Registry
from coldpress.store import Store

JSON_TYPE = {"content-type": "application/json"}


@pytest.mark.parametrize(
    ("body", "headers", "error"),
    [
        (None, {}, "the body is missing"),
        ('{"model": "a', {}, "the body is not JSON: Unterminated string starting at, at character 10"),
        ("[1]", JSON_TYPE, "the body must be a JSON object"),
        ('"text"', JSON_TYPE, "the body must be a JSON object"),
        ("null", JSON_TYPE, "the body must be a JSON object"),
        (
            '{"model": "a"}',
            {"content-type": "text/csv"},
            "the body was not read as JSON: send content-type application/json",
        ),
        ("[" * 100_000, JSON_TYPE, "There was an error parsing the body"),
        ('{"model": "a", "size": 1' + "0" * 5000 + "}", JSON_TYPE, "There was an error parsing the body"),
        ('{"model": "a"}', {}, "filename is missing"),
        (
            '{"model": 1, "filename": null, "size": "x", "colour": 1}',
            JSON_TYPE,
            "model should be a valid string, got 1; filename should be a valid string, got None; "
            "size should be a valid integer, got 'x'; and 1 more",
        ),
        (
            '{"model": "a", "filename": "m.onnx", "\\ud800": 1}',
            JSON_TYPE,
            "the body should be a valid string, unable to parse raw data as a unicode string",
        ),
        (
            json.dumps({"model": ["x" * 10_000], "filename": "m.onnx"}),
            JSON_TYPE,
            f"model should be a valid string, got ['{'x' * 58}…",
        ),
    ],
)  # fmt: skip
def test_bodies_that_cannot_be_used(api: Any, body: str, headers: dict[str, str], error: str) -> None:
    answer = api.call("POST", "/uploads", body, headers=headers)
    assert (answer.status, answer.json) == (400, {"error": error})
    assert answer.headers["content-type"] == "application/json"


@pytest.mark.parametrize("path", ["/nowhere", "/models/a/b/c", "/models/", "/uploads/a/b", "/docs/files/x"])
def test_unknown_paths(api: Any, path: str) -> None:
    answer = api.call("GET", path)
    assert (answer.status, answer.json) == (404, {"error": f"no route {path}; see /docs"})


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("PUT", "/models", "GET"),
        ("GET", "/uploads", "POST"),
        ("DELETE", "/models/a/aliases/prod", "GET, PUT"),
        ("GET", "/models/a/aliases/prod/rollback", "POST"),
    ],
)
def test_wrong_methods(api: Any, method: str, path: str, allowed: str) -> None:
    answer = api.call(method, path)
    assert (answer.status, answer.headers["allow"], answer.json) == (
        405,
        allowed,
        {"error": f"{path} takes {allowed}, not {method}"},
    )


def test_the_unexpected_is_logged_and_not_told(api: Any, register: Any, logged: Any) -> None:
    register("sentiment", 1)
    api.store.overwrite("models/sentiment/aliases/prod.json", b"this is no JSON: a secret")

    answer = api.call("GET", "/models/sentiment")

    assert (answer.status, answer.json) == (500, {"error": "internal error; the log has the details"})
    assert answer.headers["x-request-id"] == "BXqYKhCfliAEPhA="
    (line,) = logged()
    assert (line["level"], line["message"], line["path"], line["exception_name"], line["request_id"]) == (
        "ERROR",
        "unexpected error",
        "/models/sentiment",
        "JSONDecodeError",
        "BXqYKhCfliAEPhA=",
    )


def test_storage_that_does_not_answer_is_a_503(
    make_api: Any, free_port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    api = make_api()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{free_port}")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    here = api.module.app.state.deployment
    gone = Store("s3://models")
    api.module.app.state.deployment = here._replace(store=gone, registry=Registry(gone))
    answer = api.call("GET", "/models/sentiment")
    assert answer.status == 503
    assert answer.json["error"].startswith("object storage ")

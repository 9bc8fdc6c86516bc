"""What the gateway puts around a request: hosts, stages, base paths."""

from typing import Any

import pytest

WISH = {"model": "sentiment", "filename": "model.onnx"}


@pytest.mark.parametrize(
    ("headers", "base"),
    [
        ({}, "https://abcdef1234.execute-api.eu-central-1.amazonaws.com/uploads/files/"),
        ({"host": "127.0.0.1:8000", "x-forwarded-proto": "http"}, "http://127.0.0.1:8000/uploads/files/"),
        ({"host": "[::1]:8000", "x-forwarded-proto": "http"}, "http://[::1]:8000/uploads/files/"),
        ({"Host": "models.example.org"}, "https://models.example.org/uploads/files/"),
        ({"host": "a.example", "x-forwarded-proto": "HTTP"}, "http://a.example/uploads/files/"),
        ({"host": "a.example", "x-forwarded-proto": "http, https"}, "http://a.example/uploads/files/"),
        ({"host": "a.example", "x-forwarded-proto": "gopher"}, "https://a.example/uploads/files/"),
        ({"host": "a.example", "x-forwarded-proto": ""}, "https://a.example/uploads/files/"),
    ],
)
def test_links_use_the_callers_host_and_scheme(api: Any, headers: dict[str, str], base: str) -> None:
    answer = api.call("POST", "/uploads", WISH, headers=headers)
    assert answer.status == 201
    assert answer.json["url"].startswith(base + "incoming/sentiment/")


@pytest.mark.parametrize("host", ["a:b:c", "host:port", "", "[", "a/../b"])
def test_a_strange_host_does_no_harm(api: Any, host: str) -> None:
    assert api.call("GET", "/models", headers={"host": host}).status == 200


@pytest.mark.parametrize("path", ["/live/models", "/models"])
def test_a_stage_may_stand_in_front(api: Any, path: str) -> None:
    answer = api.call("GET", path, stage="live")
    assert (answer.status, answer.json) == (200, {"models": []})


def test_a_stage_is_in_every_link(api: Any) -> None:
    assert 'src="/live/docs/files/swagger-ui-bundle.js"' in api.call("GET", "/live/docs", stage="live").body
    assert "/live/uploads/files/" in api.call("POST", "/live/uploads", WISH, stage="live").json["url"]
    assert api.call("GET", "/live", stage="live").json == {"status": "alive"}
    assert api.call("GET", "/liver/models", stage="live").status == 404


def test_a_base_path_may_stand_in_front(make_api: Any) -> None:
    api = make_api(base_path="/ml")
    assert api.call("GET", "/ml/models").json == {"models": []}
    assert api.call("GET", "/models").json == {"models": []}
    assert api.call("GET", "/mlx/models").status == 404
    assert 'src="/ml/docs/files/swagger-ui-bundle.js"' in api.call("GET", "/ml/docs").body
    assert api.call("GET", "/ml/openapi.json").json["servers"] == [{"url": "/ml"}]


@pytest.mark.parametrize("kind", ["application/json", "application/x-www-form-urlencoded", None])
def test_a_body_is_json_also_where_curl_calls_it_a_form(api: Any, kind: str | None) -> None:
    assert api.call("POST", "/uploads", WISH, headers={"content-type": kind} if kind else {}).status == 201

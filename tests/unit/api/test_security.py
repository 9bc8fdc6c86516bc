"""Who may do what."""

import time
from typing import Any

import pytest

from coldpress import access


def routes(api: Any) -> list[tuple[str, str]]:
    paths = api.module.app.openapi()["paths"]
    filled = {"{name}": "sentiment", "{version}": "1", "{alias}": "prod", "{upload}": "sentiment.1"}
    found = []
    for path, methods in paths.items():
        for template, value in filled.items():
            path = path.replace(template, value)
        found += [(method.upper(), path) for method in methods if methods[method]["tags"] != ["Data plane"]]
    return found


def test_every_route_but_the_root_needs_a_key(api: Any) -> None:
    asked = [route for route in routes(api) if route != ("GET", "/")]
    assert len(asked) == 16
    for method, path in asked:
        body = {"model": "a", "filename": "m.onnx", "routes": []}
        for body_sent in (None, body):
            answer = api.call(method, path, body_sent, key=None)
            assert (method, path, answer.status) == (method, path, 401)
            assert answer.json == {
                "error": "no API key: send it as 'x-api-key: KEY' or 'Authorization: Bearer KEY'"
            }
            assert answer.headers["www-authenticate"] == "Bearer"


def test_a_key_for_predictions_opens_nothing_here(api: Any) -> None:
    for method, path in routes(api):
        if path != "/":
            assert api.call(method, path, {}, key="predictor").status == 403


def test_a_readers_key_writes_nothing(api: Any, register: Any) -> None:
    register("sentiment", 1, prod=True)
    before = {info.key: info.etag for info in api.store.walk("")}
    for method, path in routes(api):
        answer = api.call(method, path, {"model": "a", "filename": "m.onnx"}, key="reader")
        if method != "GET":
            assert answer.status == 403
            assert answer.json["error"].endswith("has the scopes read; this needs admin")
        else:
            assert answer.status in (200, 404)
    assert {info.key: info.etag for info in api.store.walk("")} == before


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"authorization": "Bearer KEY"}, 200),
        ({"authorization": "bearer KEY"}, 200),
        ({"X-Api-Key": "KEY"}, 200),
        ({"authorization": "Basic KEY"}, 401),
        ({"x-api-key": "cp_wrong"}, 401),
        ({"x-api-key": "x" * 1000}, 401),
        ({"x-api-key": "schlüssel"}, 401),
    ],
)
def test_where_a_key_may_be(api: Any, headers: dict[str, str], status: int) -> None:
    sent = {name: value.replace("KEY", api.reader) for name, value in headers.items()}
    answer = api.call("GET", "/models", key=None, headers=sent)
    assert answer.status == status
    assert api.reader not in answer.body


def test_an_expired_key(api: Any) -> None:
    api.old, caller = access.create_key(api.store, ("admin",), expires=time.time() - 1)
    answer = api.call("GET", "/models", key="old")
    assert (answer.status, answer.json) == (
        401,
        {"error": f"the API key {caller.id!r} has expired; create one with: coldpress keys create"},
    )


@pytest.mark.parametrize("path", ["/", "/docs", "/openapi.json", "/docs/files/swagger-ui.css"])
def test_open_to_all(api: Any, path: str) -> None:
    assert api.call("GET", path, key=None).status == 200


JWT = {"jwt": {"claims": {"iss": "https://issuer", "sub": "ada"}, "scopes": None}}


def test_behind_an_authorizer_no_key_is_asked_for(make_api: Any) -> None:
    api = make_api(auth="gateway")
    assert api.call("GET", "/models", key=None, authorizer=JWT).status == 200
    wish = {"model": "a", "filename": "m.onnx"}
    assert api.call("POST", "/uploads", wish, key=None, authorizer=JWT).status == 201


def test_behind_no_authorizer_nobody_is_let_in(make_api: Any) -> None:
    api = make_api(auth="gateway")
    for method, path in routes(api):
        if path != "/":
            for key in (None, "admin"):
                answer = api.call(method, path, {}, key=key)
                assert (path, answer.status) == (path, 401)
                assert answer.json["error"].startswith("the gateway has checked no caller: ")

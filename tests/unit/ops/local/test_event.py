"""A request as an HTTP API event, and an answer as a response: whole values."""

import base64
import json
from dataclasses import replace
from typing import Any

import pytest

from coldpress_ops.local.application import Route
from coldpress_ops.local.gateway import BadAnswer, HttpRequest, HttpResponse, event_of, response_of

REQUEST = HttpRequest(
    method="POST",
    path="/models/a b/predict",
    query="top=3&label=x&label=y%20z&empty=",
    headers=(
        ("Host", "127.0.0.1:8000"),
        ("User-Agent", "curl/8.5.0"),
        ("Content-Type", "application/json"),
        ("Accept", "text/html"),
        ("accept", "application/json"),
        ("Cookie", "a=1; b=2"),
        ("Connection", "keep-alive"),
    ),
    body=b'{"x": "\xc3\xbc"}',
    protocol="HTTP/1.1",
    client="127.0.0.1",
)
ROUTE = Route("POST", "/models/{model}/predict", "F")
NOW = 1768244638.123


def test_event() -> None:
    assert event_of(REQUEST, ROUTE, {"model": "a b"}, "request-1", NOW) == {
        "version": "2.0",
        "routeKey": "POST /models/{model}/predict",
        "rawPath": "/models/a b/predict",
        "rawQueryString": "top=3&label=x&label=y%20z&empty=",
        "cookies": ["a=1", "b=2"],
        "headers": {
            "host": "127.0.0.1:8000",
            "user-agent": "curl/8.5.0",
            "content-type": "application/json",
            "accept": "text/html,application/json",
            "x-forwarded-for": "127.0.0.1",
            "x-forwarded-proto": "http",
        },
        "queryStringParameters": {"top": "3", "label": "x,y z", "empty": ""},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "local",
            "domainName": "127.0.0.1",
            "domainPrefix": "127",
            "http": {
                "method": "POST",
                "path": "/models/a b/predict",
                "protocol": "HTTP/1.1",
                "sourceIp": "127.0.0.1",
                "userAgent": "curl/8.5.0",
            },
            "requestId": "request-1",
            "routeKey": "POST /models/{model}/predict",
            "stage": "$default",
            "time": "12/Jan/2026:19:03:58 +0000",
            "timeEpoch": 1768244638123,
        },
        "pathParameters": {"model": "a b"},
        "body": '{"x": "ü"}',
        "isBase64Encoded": False,
    }


def test_what_is_absent_is_left_out() -> None:
    bare = HttpRequest("GET", "/models", "", (("Host", "localhost"),), b"", "HTTP/1.1", "::1")
    event = event_of(bare, Route("GET", "/models", "F"), {}, "r", NOW)
    assert event.keys().isdisjoint({"cookies", "queryStringParameters", "pathParameters", "body"})
    assert event["requestContext"]["domainName"] == "localhost"
    assert event["requestContext"]["http"]["userAgent"] == ""
    assert event["isBase64Encoded"] is False


@pytest.mark.parametrize(
    ("headers", "body", "is_base64"),
    [
        ((("content-type", "text/plain; charset=utf-8"),), b"a", False),
        ((("content-type", "Application/JSON"),), b"{}", False),
        ((("content-type", "application/octet-stream"),), b"a", True),
        ((("content-type", "application/x-www-form-urlencoded"),), b"a=1", True),
        ((("content-type", "application/json"), ("content-encoding", "gzip")), b"\x1f\x8b", True),
        ((("content-type", "text/plain; charset=latin-1"),), b"\xe4", True),
        ((), b"a", True),
    ],
)
def test_body_as_text_or_base64(headers: tuple[tuple[str, str], ...], body: bytes, is_base64: bool) -> None:
    event = event_of(replace(REQUEST, headers=headers, body=body), ROUTE, {}, "r", NOW)
    assert event["isBase64Encoded"] is is_base64
    assert (base64.b64decode(event["body"]) if is_base64 else event["body"].encode()) == body


TEXT = ("content-type", "text/plain; charset=utf-8")


@pytest.mark.parametrize(
    ("answer", "response"),
    [
        (
            {
                "statusCode": 201,
                "headers": {
                    "Content-Type": "application/json",
                    "X-Count": 3,
                    "x-flag": True,
                    "content-length": 9,
                },
                "cookies": ["a=1; Path=/", "b=2"],
                "body": '{"ü":1}',
            },
            HttpResponse(
                201,
                (
                    ("content-type", "application/json"),
                    ("x-count", "3"),
                    ("x-flag", "true"),
                    ("set-cookie", "a=1; Path=/"),
                    ("set-cookie", "b=2"),
                ),
                '{"ü":1}'.encode(),
            ),
        ),
        (
            {"statusCode": "200", "body": "AP8=", "isBase64Encoded": True},
            HttpResponse(200, (TEXT,), b"\x00\xff"),
        ),
        ({"statusCode": 200}, HttpResponse(200, (TEXT,), b"")),
        ({"statusCode": 204, "body": "dropped"}, HttpResponse(204, (TEXT,), b"")),
        ({"a": 1}, HttpResponse(200, (("content-type", "application/json"),), b'{"a": 1}')),
        ([1, 2], HttpResponse(200, (("content-type", "application/json"),), b"[1, 2]")),
        ("hello", HttpResponse(200, (("content-type", "application/json"),), b"hello")),
        (None, HttpResponse(200, (("content-type", "application/json"),), b"null")),
    ],
)
def test_response(answer: Any, response: HttpResponse) -> None:
    assert response_of(json.dumps(answer).encode()) == response


@pytest.mark.parametrize(
    "answer",
    [
        {"statusCode": "soon"},
        {"statusCode": None},
        {"statusCode": 99},
        {"statusCode": 600},
        {"statusCode": 200, "body": {"a": 1}},
        {"statusCode": 200, "body": "*", "isBase64Encoded": True},
        {"statusCode": 200, "headers": ["a"]},
        {"statusCode": 200, "cookies": 3},
    ],
)
def test_what_http_cannot_carry(answer: dict[str, Any]) -> None:
    with pytest.raises(BadAnswer):
        response_of(json.dumps(answer).encode())

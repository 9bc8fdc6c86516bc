"""Gateway events <-> requests and responses."""

import base64
import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldpress import gateway
from coldpress.errors import InvalidRequest, TooLarge
from coldpress.gateway import Request, Response

LIMIT = 1000

HTTP_API: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "ANY /v2/{proxy+}",
    "rawPath": "/v2/models/sentiment/infer",
    "rawQueryString": "trace=1&trace=2",
    "cookies": ["theme=dark", "session=7"],
    "headers": {
        "accept": "*/*",
        "content-length": "13",
        "content-type": "application/json",
        "host": "abcdef1234.execute-api.eu-central-1.amazonaws.com",
        "user-agent": "curl/8.5.0",
        "x-amzn-trace-id": "Root=1-65a1b2c3-0123456789abcdef01234567",
        "x-api-key": "cp_secret",
        "x-forwarded-for": "203.0.113.9",
        "x-forwarded-port": "443",
        "x-forwarded-proto": "https",
    },
    "queryStringParameters": {"trace": "1,2"},
    "requestContext": {
        "accountId": "123456789012",
        "apiId": "abcdef1234",
        "domainName": "abcdef1234.execute-api.eu-central-1.amazonaws.com",
        "domainPrefix": "abcdef1234",
        "http": {
            "method": "POST",
            "path": "/v2/models/sentiment/infer",
            "protocol": "HTTP/1.1",
            "sourceIp": "203.0.113.9",
            "userAgent": "curl/8.5.0",
        },
        "requestId": "JKJaXmPLvHcESHA=",
        "routeKey": "ANY /v2/{proxy+}",
        "stage": "$default",
        "time": "12/Jan/2026:19:03:58 +0000",
        "timeEpoch": 1768244638000,
    },
    "pathParameters": {"proxy": "models/sentiment/infer"},
    "body": '{"inputs": 1}',
    "isBase64Encoded": False,
}

REST_API: dict[str, Any] = {
    "resource": "/models/{model}/predict",
    "path": "/models/sentiment/predict",
    "httpMethod": "POST",
    "headers": {"Content-Type": "text/plain", "Host": "rest.execute-api.eu-central-1.amazonaws.com"},
    "multiValueHeaders": {"Content-Type": ["text/plain"], "X-Forwarded-For": ["203.0.113.9", "10.0.0.1"]},
    "queryStringParameters": None,
    "multiValueQueryStringParameters": None,
    "pathParameters": {"model": "sentiment"},
    "stageVariables": None,
    "requestContext": {
        "resourceId": "abc123",
        "resourcePath": "/models/{model}/predict",
        "httpMethod": "POST",
        "path": "/prod/models/sentiment/predict",
        "protocol": "HTTP/1.1",
        "requestId": "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
        "stage": "prod",
        "identity": {"sourceIp": "203.0.113.9", "userAgent": "curl/8.5.0"},
        "apiId": "1234567890",
    },
    "body": "a fine film",
    "isBase64Encoded": False,
}

FUNCTION_URL: dict[str, Any] = {
    "version": "2.0",
    "routeKey": "$default",
    "rawPath": "/models/a%40b%2Fc/predict",
    "rawQueryString": "",
    "headers": {"content-type": "application/octet-stream", "x-amzn-trace-id": "Root=1-0-1"},
    "requestContext": {
        "accountId": "anonymous",
        "apiId": "urlid",
        "domainName": "urlid.lambda-url.eu-central-1.on.aws",
        "http": {
            "method": "PUT",
            "path": "/models/a%40b%2Fc/predict",
            "protocol": "HTTP/1.1",
            "sourceIp": "203.0.113.9",
            "userAgent": "curl/8.5.0",
        },
        "requestId": "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
        "routeKey": "$default",
        "stage": "$default",
    },
    "body": "AAEC/w==",
    "isBase64Encoded": True,
}

LOAD_BALANCER: dict[str, Any] = {
    "requestContext": {
        "elb": {"targetGroupArn": "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/t/1"}
    },
    "httpMethod": "GET",
    "path": "/v2/models/sentiment%40dev",
    "queryStringParameters": {},
    "headers": {
        "accept": "text/html",
        "host": "lb-1.eu-central-1.elb.amazonaws.com",
        "x-amzn-trace-id": "Root=1-72d2d2d2-1",
    },
    "body": "",
    "isBase64Encoded": False,
}


def read(event: dict[str, Any], base_path: str = "", limit: int = LIMIT) -> Request:
    before = copy.deepcopy(event)
    request = gateway.read(event, base_path, limit)
    assert event == before
    return request


def with_changes(event: dict[str, Any], **changes: Any) -> dict[str, Any]:
    return event | changes


def test_http_api() -> None:
    assert read(HTTP_API) == Request(
        "POST", "/v2/models/sentiment/infer", HTTP_API["headers"], b'{"inputs": 1}', "JKJaXmPLvHcESHA="
    )


def test_rest_api() -> None:
    assert read(REST_API) == Request(
        "POST",
        "/models/sentiment/predict",
        {"content-type": "text/plain", "host": "rest.execute-api.eu-central-1.amazonaws.com"},
        b"a fine film",
        "c6af9ac6-7b61-11e6-9a41-93e8deadbeef",
    )


def test_function_url() -> None:
    assert read(FUNCTION_URL) == Request(
        "PUT",
        "/models/a@b/c/predict",
        {"content-type": "application/octet-stream", "x-amzn-trace-id": "Root=1-0-1"},
        b"\x00\x01\x02\xff",
        "e1506fd5-9e7b-434f-bd42-4f8fa224b599",
    )


def test_load_balancer() -> None:
    assert read(LOAD_BALANCER) == Request(
        "GET", "/v2/models/sentiment@dev", LOAD_BALANCER["headers"], b"", "Root=1-72d2d2d2-1"
    )


def test_load_balancer_with_multi_value_headers() -> None:
    event = {key: value for key, value in LOAD_BALANCER.items() if key != "headers"}
    event["multiValueHeaders"] = {"Accept": ["text/html", "application/json"], "X-Api-Key": ["k"]}
    request = read(event)
    assert request.headers == {"accept": "text/html,application/json", "x-api-key": "k"}
    answer = gateway.reply(Response(200, {"content-type": "application/json"}, b"{}"))
    assert gateway.address(answer, event) == {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "multiValueHeaders": {"content-type": ["application/json"]},
        "body": "{}",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize("event", [HTTP_API, REST_API, FUNCTION_URL, LOAD_BALANCER])
def test_other_senders_get_plain_headers(event: dict[str, Any]) -> None:
    answer = {"statusCode": 200, "headers": {"a": "b"}, "body": "", "isBase64Encoded": False}
    assert gateway.address(dict(answer), event) == answer


@pytest.mark.parametrize(
    ("raw_path", "stage", "base_path", "path"),
    [
        ("/v2", "$default", "", "/v2"),
        ("/v2/", "$default", "", "/v2"),
        ("/", "$default", "", "/"),
        ("", "$default", "", "/"),
        ("/prod/v2", "prod", "", "/v2"),
        ("/prod", "prod", "", "/"),
        ("/prod/", "prod", "", "/"),
        ("/prod/prod/v2", "prod", "", "/prod/v2"),
        ("/products/v2", "prod", "", "/products/v2"),
        ("/v2", "prod", "", "/v2"),
        ("/ml/v2", "$default", "/ml", "/v2"),
        ("/ml/v2", "$default", "/ml/", "/v2"),
        ("/mlx/v2", "$default", "/ml", "/mlx/v2"),
        ("/v2", "$default", "/ml", "/v2"),
        ("/prod/ml/v2", "prod", "/ml", "/v2"),
        ("/v2/models/m%40dev", "$default", "", "/v2/models/m@dev"),
        ("/v2/models/%C3%A4", "$default", "", "/v2/models/ä"),
        ("/v2/models/%ff", "$default", "", "/v2/models/\ufffd"),
        ("/v2/models/a+b", "$default", "", "/v2/models/a+b"),
        ("/v2/models/100%", "$default", "", "/v2/models/100%"),
    ],
)
def test_stage_and_base_path_are_taken_off(raw_path: str, stage: str, base_path: str, path: str) -> None:
    context = HTTP_API["requestContext"] | {"stage": stage}
    event = with_changes(HTTP_API, rawPath=raw_path, requestContext=context)
    assert read(event, base_path).path == path


@pytest.mark.parametrize("body", [{}, {"body": None}, {"body": ""}, {"body": "", "isBase64Encoded": True}])
def test_a_missing_body_is_empty(body: dict[str, Any]) -> None:
    event = {key: value for key, value in HTTP_API.items() if key not in ("body", "isBase64Encoded")}
    assert read(event | body).body == b""


def test_an_event_that_is_no_request_is_one_for_the_root() -> None:
    request = read({"source": "aws.events", "detail-type": "Scheduled Event"})
    assert request._replace(id="") == Request("GET", "/", {}, b"", "")
    assert len(request.id) == 16


def test_nulls_are_as_good_as_nothing() -> None:
    event = {
        "requestContext": None,
        "httpMethod": None,
        "path": None,
        "headers": None,
        "multiValueHeaders": None,
    }
    assert read(event)._replace(id="") == Request("GET", "/", {}, b"", "")


@pytest.mark.parametrize("method", ["HEAD", "OPTIONS", "PATCH"])
def test_the_method_is_passed_on(method: str) -> None:
    context = HTTP_API["requestContext"] | {"http": {"method": method, "path": "/"}}
    assert read(with_changes(HTTP_API, requestContext=context)).method == method


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("!!!!", "Only base64 data is allowed"),
        ("YQ", "Incorrect padding"),
        ("YQ==YQ==", "Excess data after padding"),
        ("YWJj=YWJj", "Discontinuous padding not allowed"),
        ("YQ==\n", "Excess data after padding"),
        ("ä", "string argument should contain only ASCII characters"),
    ],
)
def test_garbage_marked_as_base64_is_refused(text: str, reason: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        read(with_changes(HTTP_API, body=text, isBase64Encoded=True))
    assert str(caught.value).startswith("the body is marked as base64 but is not: ")
    assert reason in str(caught.value)


@pytest.mark.parametrize("size", [LIMIT - 2, LIMIT - 1, LIMIT])
def test_a_body_up_to_the_limit_is_read(size: int) -> None:
    body = bytes(range(256)) * 4
    assert (
        read(with_changes(HTTP_API, body=base64.b64encode(body[:size]).decode(), isBase64Encoded=True)).body
        == (body[:size])
    )
    assert len(read(with_changes(HTTP_API, body="x" * size)).body) == size


def test_a_body_over_the_limit_is_refused() -> None:
    with pytest.raises(TooLarge, match=r"^the body has 1001 bytes, the limit is 1000$"):
        read(with_changes(HTTP_API, body="x" * 1001))
    with pytest.raises(TooLarge, match=r"^the body has 1002 bytes, the limit is 1000$"):
        read(with_changes(HTTP_API, body="ä" * 501))
    encoded = base64.b64encode(bytes(1001)).decode()
    with pytest.raises(TooLarge, match=r"^the body has 1001 bytes, the limit is 1000$"):
        read(with_changes(HTTP_API, body=encoded, isBase64Encoded=True))
    with pytest.raises(TooLarge, match=r"^the body has about 3000 bytes, the limit is 1000$"):
        # Not decoded at all: it is no base64.
        read(with_changes(HTTP_API, body="!" * 4000, isBase64Encoded=True))


def test_text_travels_as_text() -> None:
    response = Response(200, {"content-type": "application/json"}, '{"label": "größer"}'.encode())
    assert gateway.reply(response) == {
        "statusCode": 200,
        "headers": {"content-type": "application/json"},
        "body": '{"label": "größer"}',
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize(
    "headers",
    [
        {"content-type": "application/octet-stream"},
        {},
        {"content-type": "application/json", "content-encoding": "gzip"},
    ],
)
def test_everything_else_travels_as_base64(headers: dict[str, str]) -> None:
    assert gateway.reply(Response(200, headers, b"\x00\xff")) == {
        "statusCode": 200,
        "headers": headers,
        "body": "AP8=",
        "isBase64Encoded": True,
    }


# Lambda's limit is on the whole answer as JSON text; 6,291,556 bytes, of which headers take some.
@pytest.mark.parametrize("unit", [b"1", b'"', b"\\", "ä".encode(), b'{"a": "b"},'])
def test_an_answer_is_refused_before_lambda_would_refuse_it(unit: bytes) -> None:
    def answered(bytes_as_sent: int) -> int:
        one = len(json.dumps(unit.decode())) - 2
        body = unit * (bytes_as_sent // one)
        answer = gateway.reply(Response(200, {"content-type": "application/json"}, body))
        return len(json.dumps(answer))  # in ASCII, as Lambda's runtime for Python 3.11 writes it

    assert answered(5_999_999) < 6_291_556
    with pytest.raises(TooLarge) as caught:
        answered(6_000_100)
    assert str(caught.value).endswith(
        "bytes and Lambda sends at most 6000000: ask for fewer rows or outputs at a time"
    )


def test_a_binary_answer_is_measured_as_base64() -> None:
    headers = {"content-type": "application/octet-stream"}
    assert len(gateway.reply(Response(200, headers, bytes(4_500_000)))["body"]) == 6_000_000
    with pytest.raises(TooLarge, match="the answer has 6000004 bytes"):
        gateway.reply(Response(200, headers, bytes(4_500_001)))


texts = st.text(st.characters(exclude_categories=()))


@given(texts, texts, texts, texts, st.booleans(), st.sampled_from(["http", "rest"]))
def test_any_text_is_a_request_or_an_error_of_ours(
    method: str, path: str, body: str, base_path: str, base64_encoded: bool, kind: str
) -> None:
    event: dict[str, Any] = {"body": body, "isBase64Encoded": base64_encoded, "headers": {"Name": path}}
    if kind == "http":
        event |= {"rawPath": path, "requestContext": {"http": {"method": method}, "stage": method}}
    else:
        event |= {"path": path, "httpMethod": method}
    try:
        request = read(event, base_path, 50)
    except (InvalidRequest, TooLarge):
        return
    assert len(request.body) <= 50
    assert request.headers == {"name": path}


@given(st.binary(), st.booleans())
def test_bodies_survive_there_and_back(body: bytes, text: bool) -> None:
    try:
        body.decode()
    except UnicodeDecodeError:
        text = False
    content_type = "text/plain" if text else "application/octet-stream"
    answer = gateway.reply(Response(200, {"content-type": content_type}, body))
    assert answer["isBase64Encoded"] is not text
    event = {"body": answer["body"], "isBase64Encoded": answer["isBase64Encoded"]}
    assert read(event, limit=len(body)).body == body


@pytest.mark.parametrize(
    "event",
    [
        HTTP_API | {"requestContext": {"http": {"method": "HEAD", "path": "/v2"}, "stage": "$default"}},
        REST_API | {"httpMethod": "HEAD"},
        LOAD_BALANCER | {"httpMethod": "HEAD"},
    ],
)
def test_an_answer_to_head_has_no_body(event: dict[str, Any]) -> None:
    answer = gateway.reply(Response(200, {"content-type": "application/octet-stream"}, b"\xff"))
    assert gateway.address(answer, event) == {
        "statusCode": 200,
        "headers": {"content-type": "application/octet-stream"},
        "body": "",
        "isBase64Encoded": False,
    }


@pytest.mark.parametrize("event", [{}, {"requestContext": None}, {"requestContext": {"http": {}}}])
def test_an_event_without_a_method_is_answered_in_full(event: dict[str, Any]) -> None:
    answer = gateway.reply(Response(404, {"content-type": "application/json"}, b"{}"))
    assert gateway.address(answer, event)["body"] == "{}"

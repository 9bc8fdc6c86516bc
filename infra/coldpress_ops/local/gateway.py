"""HTTP <-> API Gateway: a request as an HTTP API event (payload format 2.0), an answer as a response.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
"""

import base64
import binascii
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from coldpress.errors import Internal
from coldpress_ops.local.application import Route
from coldpress_ops.local.aws import ACCOUNT

MAX_REQUEST_BYTES = 10 << 20
"""API Gateway's limit of a request body."""
MAX_PAYLOAD_BYTES = 6 << 20
"""Lambda's limit of an event, and of an answer, both as JSON."""
STAGE = "$default"
# Bodies of other types travel as base64; form posts do too, on AWS.
TEXT_TYPES = ("text/", "application/json", "application/xml", "application/javascript")
# These describe one connection, not the request or the answer.
HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "upgrade"})
BODILESS = (204, 304)


class BadAnswer(Internal):
    """A function answered what API Gateway would not understand."""


@dataclass(frozen=True)
class HttpRequest:
    """A request as it came over HTTP."""

    method: str
    path: str
    """Percent-decoded."""
    query: str
    """As sent, without the question mark."""
    headers: Iterable[tuple[str, str]]
    body: bytes
    protocol: str
    client: str
    """The sender's IP address."""


@dataclass(frozen=True)
class HttpResponse:
    """An answer to send over HTTP."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes


def event_of(
    request: HttpRequest, route: Route, parameters: Mapping[str, str], request_id: str, now: float
) -> dict[str, Any]:
    """The event for a function; `now` in seconds since the epoch."""
    headers, cookies = _headers(request.headers)
    headers.setdefault("x-forwarded-for", request.client)
    headers.setdefault("x-forwarded-proto", "http")
    domain = headers.get("host", "").rpartition(":")[0] or headers.get("host", "localhost")
    event: dict[str, Any] = {
        "version": "2.0",
        "routeKey": route.key,
        # Decoded, as API Gateway sends it: /a%2Fb arrives as /a/b.
        "rawPath": request.path,
        "rawQueryString": request.query,
        "headers": headers,
        "requestContext": {
            "accountId": ACCOUNT,
            "apiId": "local",
            "domainName": domain,
            "domainPrefix": domain.partition(".")[0],
            "http": {
                "method": request.method,
                "path": request.path,
                "protocol": request.protocol,
                "sourceIp": request.client,
                "userAgent": headers.get("user-agent", ""),
            },
            "requestId": request_id,
            "routeKey": route.key,
            "stage": STAGE,
            "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000", time.gmtime(now)),
            "timeEpoch": int(now * 1000),
        },
        "isBase64Encoded": False,
    }
    if cookies:
        event["cookies"] = cookies
    if request.query:
        event["queryStringParameters"] = _query(request.query)
    if parameters:
        event["pathParameters"] = dict(parameters)
    if request.body:
        event["body"], event["isBase64Encoded"] = _body(headers, request.body)
    return event


def _headers(pairs: Iterable[tuple[str, str]]) -> tuple[dict[str, str], list[str]]:
    """Headers in lower case, repeated ones joined by commas; cookies apart."""
    headers: dict[str, str] = {}
    cookies: list[str] = []
    for given, value in pairs:
        name = given.lower()
        if name == "cookie":
            cookies += [cookie.strip() for cookie in value.split(";") if cookie.strip()]
        elif name not in HOP_BY_HOP:
            headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers, cookies


def _query(text: str) -> dict[str, str]:
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        parameters[name] = f"{parameters[name]},{value}" if name in parameters else value
    return parameters


def _body(headers: Mapping[str, str], body: bytes) -> tuple[str, bool]:
    """The body as text, and whether that is base64."""
    is_text = headers.get("content-type", "").lower().startswith(TEXT_TYPES)
    if is_text and "content-encoding" not in headers:
        try:
            return body.decode(), False
        except UnicodeDecodeError:
            # Declared as text but in another encoding: only base64 keeps every byte.
            pass
    return base64.b64encode(body).decode(), True


def response_of(payload: bytes) -> HttpResponse:
    """The response to a function's answer; one without `statusCode` is a 200 with that JSON.

    Raises:
        BadAnswer: the answer has no status, headers or body that HTTP can carry.
    """
    answer = json.loads(payload)
    if not isinstance(answer, dict) or "statusCode" not in answer:
        body = answer.encode() if isinstance(answer, str) else payload
        return HttpResponse(200, (("content-type", "application/json"),), body)
    try:
        status = int(answer["statusCode"])
        given = {str(name).lower(): _value(value) for name, value in (answer.get("headers") or {}).items()}
        cookies = [("set-cookie", str(cookie)) for cookie in answer.get("cookies") or ()]
        text = answer.get("body") or ""
        body = base64.b64decode(text, validate=True) if answer.get("isBase64Encoded") else text.encode()
    except (AttributeError, TypeError, ValueError, binascii.Error) as error:
        raise BadAnswer(f"the function's answer is no API Gateway response: {error}") from error
    if not 200 <= status <= 599:
        raise BadAnswer(f"the function answered with status {status}; it must be 200 to 599")
    given.setdefault("content-type", "text/plain; charset=utf-8")
    kept = [(name, value) for name, value in given.items() if name not in HOP_BY_HOP | {"content-length"}]
    return HttpResponse(status, (*kept, *cookies), b"" if status in BODILESS else body)


def _value(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)

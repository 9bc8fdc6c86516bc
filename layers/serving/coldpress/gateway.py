"""An event of an HTTP API, REST API, Function URL or load balancer <-> a plain request and response.

The shapes: HTTP API and Function URL send payload format 2.0, REST API format 1.0; an Application
Load Balancer sends format 1.0 without a stage and with percent-encoded paths.
"""

import os
from collections.abc import Mapping

from coldpress.errors import InvalidRequest, TooLarge
from coldpress.large import decode_base64, encode_base64
from coldpress.typed import Any, NamedTuple

MAX_ANSWER_BYTES = 6 * 1000 * 1000
"""Lambda refuses a response payload above 6 MB."""
MOST_IN_JSON = 6
"""Bytes that one byte of a text body may become inside the function's own answer: \\u001f."""


class Request(NamedTuple):
    """What a caller sent."""

    method: str
    path: str
    """Percent-decoded, without the base path."""
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    id: str
    principal: str = ""
    """Who calls, where an authorizer of the gateway has checked that; never taken from a header."""


class Response(NamedTuple):
    """What the caller gets."""

    status: int
    headers: dict[str, str]
    body: bytes


def read(event: dict[str, Any], base_path: str, max_body_bytes: int) -> Request:
    """The request inside an event.

    Args:
        base_path: a path in front of every route (`/prod`), removed where present.
        max_body_bytes: largest body, after base64.

    Raises:
        InvalidRequest: the body is marked as base64 and is not.
        TooLarge: the body is over the limit.
    """
    context = event.get("requestContext") or {}
    if "http" in context:
        method, path = context["http"]["method"], event.get("rawPath") or "/"
        stage = context.get("stage", "$default")
        path = _below(path, f"/{stage}") if stage != "$default" else path
    else:
        method, path = event.get("httpMethod") or "GET", event.get("path") or "/"
    if "%" in path:
        from urllib.parse import unquote

        path = unquote(path)
    if base_path:
        path = _below(path, base_path.rstrip("/"))
    path = path.rstrip("/") or "/"
    principal = principal_of(event) if "authorizer" in context else ""
    return Request(method, path, _headers(event), _body(event, max_body_bytes), id_of(event), principal)


def id_of(event: dict[str, Any]) -> str:
    """The gateway's id of a request; the load balancer's trace id; else one made up here."""
    context = event.get("requestContext") or {}
    return context.get("requestId") or _headers(event).get("x-amzn-trace-id") or os.urandom(8).hex()


def principal_of(event: dict[str, Any]) -> str:
    """Whom an HTTP API's JWT or IAM authorizer let in: the token's subject or the identity's ARN; else empty.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html
    """
    found = (event.get("requestContext") or {}).get("authorizer") or {}
    if found.get("jwt"):
        return (found["jwt"].get("claims") or {}).get("sub") or "jwt"
    if found.get("iam"):
        return found["iam"].get("userArn") or "iam"
    return ""


def _below(path: str, prefix: str) -> str:
    """`path` without `prefix`, by whole segments: `/prod` is in front of `/prod/v2`, not of `/products`."""
    return path[len(prefix) :] if path == prefix or path.startswith(f"{prefix}/") else path


def _headers(event: dict[str, Any]) -> dict[str, str]:
    headers = event.get("headers")
    if headers:
        return {name.lower(): value for name, value in headers.items()}
    several = event.get("multiValueHeaders") or {}
    return {name.lower(): ",".join(values) for name, values in several.items()}


def _body(event: dict[str, Any], limit: int) -> bytes:
    text = event.get("body") or ""
    if not event.get("isBase64Encoded"):
        # Half a surrogate pair is for the reader of the body to refuse: no text, but no fault of ours either.
        body = text.encode("utf-8", "surrogatepass")
    else:
        # Four characters are three bytes: an oversized body is refused before it is decoded.
        if len(text) // 4 * 3 - 2 > limit:
            raise TooLarge(f"the body has about {len(text) // 4 * 3} bytes, the limit is {limit}")
        try:
            body = decode_base64(text)
        except ValueError as error:
            raise InvalidRequest(f"the body is marked as base64 but is not: {error}") from None
    if len(body) > limit:
        raise TooLarge(f"the body has {len(body)} bytes, the limit is {limit}")
    return body


def address(answer: dict[str, Any], event: dict[str, Any]) -> dict[str, Any]:
    """The answer with its headers where the event's sender looks for them, and without a body for HEAD.

    A load balancer with multi-value headers switched on sends no others and reads no others.
    """
    if event.get("httpMethod") == "HEAD" or _http_of(event).get("method") == "HEAD":
        answer |= {"body": "", "isBase64Encoded": False}
    if "multiValueHeaders" in event and event["multiValueHeaders"] and not event.get("headers"):
        answer["multiValueHeaders"] = {name: [value] for name, value in answer["headers"].items()}
    return answer


def sent_at(event: dict[str, Any]) -> float | None:
    """When the gateway took the request in, in milliseconds since the epoch, where it says so."""
    context = event.get("requestContext") or {}
    sent = context.get("timeEpoch", context.get("requestTimeEpoch"))
    return sent if type(sent) in (int, float) else None


def _http_of(event: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = (event.get("requestContext") or {}).get("http") or {}
    return found


def reply(response: Response) -> dict[str, Any]:
    """The response as every gateway takes it; a body that is no text travels as base64.

    Raises:
        TooLarge: over what Lambda lets a function answer.
    """
    answer: dict[str, Any] = {"statusCode": response.status, "headers": response.headers}
    is_text = response.headers.get("content-type", "").startswith(("application/json", "text/"))
    if is_text and "content-encoding" not in response.headers:
        answer |= {"body": response.body.decode(), "isBase64Encoded": False}
        size = len(response.body) * MOST_IN_JSON
        if size > MAX_ANSWER_BYTES:
            size = _size_in_json(response.body)
    else:
        encoded = encode_base64(response.body)
        size = len(encoded)
        answer |= {"body": encoded, "isBase64Encoded": True}
    if size > MAX_ANSWER_BYTES:
        raise TooLarge(
            f"the answer has {size} bytes and Lambda sends at most {MAX_ANSWER_BYTES}: "
            "ask for fewer rows or outputs at a time"
        )
    return answer


def _size_in_json(body: bytes) -> int:
    """How long a text body is inside the function's own answer, which is JSON in ASCII."""
    if body.isascii():
        # Each quote and backslash is one byte more.
        return len(body) + body.count(b'"') + body.count(b"\\")
    # Lambda's runtime for Python 3.11 escapes what is not ASCII: six bytes, or twelve beyond U+FFFF.
    from json import dumps

    return len(dumps(body.decode())) - 2

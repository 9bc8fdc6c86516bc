"""COLDPRESS_AUTH=gateway: whom the gateway let in, from events as an HTTP API sends them."""

import json
from pathlib import Path
from typing import Any

import pytest

from coldpress import access, gateway, principal
from coldpress.errors import Unauthorized
from coldpress.serving import DataPlane
from coldpress.settings import Settings
from coldpress.store import Store

ARN = "arn:aws:iam::123456789012:user/ada"
JWT = {"jwt": {"claims": {"aud": "app", "iss": "https://issuer", "sub": "ada"}, "scopes": None}}
IAM = {
    "iam": {
        "accessKey": "AKIAIOSFODNN7EXAMPLE",
        "accountId": "123456789012",
        "callerId": "AIDACKCEVSQ6C2EXAMPLE",
        "cognitoIdentity": None,
        "principalOrgId": "aws:PrincipalOrgID",
        "userArn": ARN,
        "userId": "AIDACKCEVSQ6C2EXAMPLE",
    }
}


def event(path: str, headers: dict[str, str], authorizer: Any = None) -> dict[str, Any]:
    context: dict[str, Any] = {"http": {"method": "GET", "path": path}, "requestId": "r", "stage": "$default"}
    if authorizer is not None:
        context["authorizer"] = authorizer
    return {"version": "2.0", "rawPath": path, "headers": headers, "requestContext": context}


@pytest.mark.parametrize(
    ("authorizer", "who"),
    [
        (JWT, "ada"),
        ({"jwt": {"claims": {"client_id": "x"}, "scopes": ["a"]}}, "jwt"),
        (IAM, ARN),
        ({"iam": {"accountId": "1"}}, "iam"),
        (None, ""),
        ({}, ""),
        ({"jwt": {}}, ""),
        ({"lambda": {"user": "ada"}}, ""),
        ({"principalId": "ada"}, ""),
    ],
)
def test_whom_the_gateway_let_in(authorizer: Any, who: str) -> None:
    found = event("/v2", {}, authorizer)
    assert gateway.principal_of(found) == who
    assert gateway.read(found, "", 10).principal == who


def test_no_principal_is_nobody() -> None:
    assert principal.caller("ada") == access.Caller("ada", ("admin",), 0.0)
    with pytest.raises(Unauthorized, match="the gateway has checked no caller"):
        principal.caller("")


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}")


def status(plane: DataPlane, headers: dict[str, str], authorizer: Any = None) -> tuple[int, str]:
    answer = plane.answer(event("/v1/models", headers, authorizer))
    return answer["statusCode"], json.loads(answer["body"]).get("error", "")[:35]


def test_with_the_gateways_word_no_key_is_asked_for(store: Store) -> None:
    plane = DataPlane(Settings(store=store.url, auth="gateway"))
    assert status(plane, {}, JWT) == (200, "")
    assert status(plane, {}, IAM) == (200, "")


def test_neither_a_key_nor_a_header_stands_in_for_the_gateways_word(store: Store) -> None:
    key, _ = access.create_key(store, ("admin",))
    plane = DataPlane(Settings(store=store.url, auth="gateway"))
    for headers in ({}, {"x-api-key": key}, {"authorization": "Bearer token"}, {"principal": "ada"}):
        assert status(plane, headers) == (401, "the gateway has checked no caller: ")


def test_with_keys_the_gateways_word_opens_nothing(store: Store) -> None:
    plane = DataPlane(Settings(store=store.url))
    assert status(plane, {}, JWT) == (401, "no API key: send it as 'x-api-key: ")


@pytest.mark.parametrize("auth", ["keys", "gateway"])
def test_health_is_open_in_every_mode(store: Store, auth: str) -> None:
    plane = DataPlane(Settings(store=store.url, auth=auth))
    assert plane.answer(event("/v2/health/live", {}))["statusCode"] == 200

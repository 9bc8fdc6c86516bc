"""A path of the data plane -> what is asked for, of which model.

/v2…                                       Open Inference Protocol
/models/{m}[@alias|/versions/{v}]/predict  plain bodies
"""

from typing import NamedTuple

from coldpress.errors import InvalidRequest, MethodNotAllowed, NotFound
from coldpress.registry import DEFAULT_ALIAS, check_name


class Route(NamedTuple):
    """What a request asks for."""

    protocol: str
    """`oip` or `plain`."""
    action: str
    """`live`, `ready_server`, `server`, `metadata`, `ready`, `infer` or `predict`."""
    model: str = ""
    alias: str = DEFAULT_ALIAS
    version: int = 0
    """0: whatever the alias points at."""


PUBLIC = frozenset({"live", "ready_server"})
"""Answered without an API key."""

_SERVER = {"/v2": "server", "/v2/health/live": "live", "/v2/health/ready": "ready_server"}
_METHODS = {"infer": "POST", "predict": "POST"}


def match(method: str, path: str) -> Route:
    """The route of a request.

    Raises:
        NotFound: no such path.
        MethodNotAllowed: the path exists for another method.
        InvalidRequest: a model name or version that cannot be.
    """
    route = _find(path)
    if route is None:
        raise NotFound(f"no route {path}; see /docs")
    allowed = _METHODS.get(route.action, "GET")
    if method != allowed and not (method == "HEAD" and allowed == "GET"):
        raise MethodNotAllowed(f"{path} takes {allowed}, not {method}")
    return route


def _find(path: str) -> Route | None:
    if path in _SERVER:
        return Route("oip", _SERVER[path])
    segments = path.split("/")[1:]
    protocol = "plain"
    if segments[0] == "v2":
        protocol, segments = "oip", segments[1:]
    if len(segments) < 2 or segments[0] != "models":
        return None
    name, rest = segments[1], segments[2:]
    version = 0
    if len(rest) >= 2 and rest[0] == "versions":
        version, rest = _version(rest[1]), rest[2:]
    action = "/".join(rest)
    known = (
        {"": "metadata", "ready": "ready", "infer": "infer"} if protocol == "oip" else {"predict": "predict"}
    )
    if action not in known:
        return None
    model, at, alias = name.partition("@")
    check_name(model)
    if at:
        check_name(alias, "alias")
        if version:
            raise InvalidRequest(f"{path} names both an alias and a version; give one")
    return Route(protocol, known[action], model, alias or DEFAULT_ALIAS, version)


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise InvalidRequest(f"{text[:40]!r} is no version; versions are whole numbers from 1")
    return int(text)

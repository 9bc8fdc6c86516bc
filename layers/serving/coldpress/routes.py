"""A path of the data plane -> what is asked for, of which model.

/v2…                                              Open Inference Protocol
/v1/models/{m}[/versions/{v}|/labels/{l}]…        TensorFlow Serving and KServe v1
/models/{m}[@alias|/versions/{v}]/predict         plain bodies
"""

from coldpress.errors import InvalidRequest, MethodNotAllowed, NotFound
from coldpress.registry import DEFAULT_ALIAS, check_name
from coldpress.typed import NamedTuple


class Route(NamedTuple):
    """What a request asks for."""

    protocol: str
    """`oip`, `tfserving` or `plain`."""
    action: str
    model: str = ""
    """Empty: the server itself."""
    alias: str = DEFAULT_ALIAS
    version: int = 0
    """0: whatever the alias points at."""


PUBLIC = frozenset({"live", "server_ready"})
"""Actions answered without an API key."""

ANY_KEY = frozenset({"server"})
"""Actions that any good API key may ask for."""

ADMIN = frozenset({"load", "unload"})

INFERENCES = frozenset({"infer", "predict", "classify", "regress"})
"""Actions that run the model."""

_POST = INFERENCES | ADMIN | {"index"}

_SERVER = {
    "/v2": ("oip", "server"),
    "/v2/health/live": ("oip", "live"),
    "/v2/health/ready": ("oip", "server_ready"),
    "/v2/models/stats": ("oip", "stats"),
    "/v2/repository/index": ("oip", "index"),
    "/v1/models": ("tfserving", "models"),
}
_OF_A_MODEL = {
    "oip": {"": "metadata", "ready": "ready", "config": "config", "stats": "stats", "infer": "infer"},
    "tfserving": {
        "": "status",
        "metadata": "signature",
        ":predict": "predict",
        ":classify": "classify",
        ":regress": "regress",
    },
    "plain": {"predict": "predict"},
}


MAX_KNOWN = 256
"""Routes kept by path."""

_known: dict[tuple[str, str], Route] = {}


def match(method: str, path: str) -> Route:
    """The route of a request.

    Raises:
        NotFound: no such path.
        MethodNotAllowed: the path exists for another method.
        InvalidRequest: a model name, alias or version that cannot be.
    """
    known = _known.get((method, path))
    if known is not None:
        return known
    route = _find(path)
    if route is None:
        raise NotFound(f"no route {path:.200}; see /docs")
    allowed = "POST" if route.action in _POST else "GET"
    if method != allowed and not (method == "HEAD" and allowed == "GET"):
        error = MethodNotAllowed(f"{path:.200} takes {allowed}, not {method:.20}")
        error.headers = {"allow": allowed if allowed == "POST" else "GET, HEAD"}
        raise error
    if len(_known) >= MAX_KNOWN:
        _known.clear()
    _known[method, path] = route
    return route


def _find(path: str) -> Route | None:
    if path in _SERVER:
        return Route(*_SERVER[path])
    nothing, *segments = path.split("/")
    if nothing or not segments:
        return None
    if segments[:2] == ["v2", "repository"]:
        return _repository(segments[2:])
    if segments[:2] == ["v2", "models"]:
        return _of_a_model("oip", segments[2:], path)
    if segments[:2] == ["v1", "models"]:
        # TensorFlow Serving hangs its verbs on the last segment: /v1/models/m:predict
        last, colon, verb = segments[-1].rpartition(":")
        return _of_a_model("tfserving", [*segments[2:-1], last, f":{verb}"] if colon else segments[2:], path)
    if segments[0] == "models":
        return _of_a_model("plain", segments[1:], path)
    return None


def _repository(segments: list[str]) -> Route | None:
    if len(segments) == 3 and segments[0] == "models" and segments[2] in ("load", "unload"):
        return Route("oip", segments[2], *_model_and_alias(segments[1]))
    return None


def _of_a_model(protocol: str, segments: list[str], path: str) -> Route | None:
    if not segments:
        return None
    name, rest = segments[0], segments[1:]
    version, label = 0, ""
    if len(rest) >= 2 and rest[0] == "versions":
        version, rest = _version(rest[1]), rest[2:]
    elif len(rest) >= 2 and rest[0] == "labels" and protocol == "tfserving":
        label, rest = check_name(rest[1], "alias"), rest[2:]
    action = _OF_A_MODEL[protocol].get("/".join(rest))
    if action is None:
        return None
    model, alias = _model_and_alias(name)
    if "@" in name and (version or label):
        raise InvalidRequest(f"{path:.200} names an alias twice, or an alias and a version; give one")
    return Route(protocol, action, model, label or alias, version)


def _model_and_alias(name: str) -> tuple[str, str]:
    model, at, alias = name.partition("@")
    return check_name(model), check_name(alias, "alias") if at else DEFAULT_ALIAS


def _version(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < len(text) < 10 and int(text) > 0):
        raise InvalidRequest(f"{text[:40]!r} is no version; versions are whole numbers from 1")
    return int(text)

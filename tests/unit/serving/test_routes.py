"""Paths -> routes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldpress import routes
from coldpress.errors import ColdpressError, InvalidRequest, MethodNotAllowed, NotFound
from coldpress.routes import Route

NAME_RULE = "use lower-case letters, digits, '-' and '_', at most 63, starting with a letter or digit"


@pytest.mark.parametrize(
    ("method", "path", "route"),
    [
        ("GET", "/v2", Route("oip", "server")),
        ("HEAD", "/v2", Route("oip", "server")),
        ("GET", "/v2/health/live", Route("oip", "live")),
        ("GET", "/v2/health/ready", Route("oip", "server_ready")),
        ("GET", "/v2/models/stats", Route("oip", "stats")),
        ("POST", "/v2/repository/index", Route("oip", "index")),
        ("POST", "/v2/repository/models/m/load", Route("oip", "load", "m")),
        ("POST", "/v2/repository/models/m@dev/unload", Route("oip", "unload", "m", "dev")),
        ("GET", "/v2/models/m", Route("oip", "metadata", "m", "prod", 0)),
        ("GET", "/v2/models/m/versions/7", Route("oip", "metadata", "m", "prod", 7)),
        ("GET", "/v2/models/m/ready", Route("oip", "ready", "m")),
        ("GET", "/v2/models/m/config", Route("oip", "config", "m")),
        ("GET", "/v2/models/m/stats", Route("oip", "stats", "m")),
        ("POST", "/v2/models/m/infer", Route("oip", "infer", "m")),
        ("POST", "/v2/models/m@canary/infer", Route("oip", "infer", "m", "canary")),
        ("POST", "/v2/models/m/versions/123456789/infer", Route("oip", "infer", "m", "prod", 123456789)),
        ("GET", "/v1/models", Route("tfserving", "models")),
        ("GET", "/v1/models/m", Route("tfserving", "status", "m")),
        ("GET", "/v1/models/m/labels/dev/metadata", Route("tfserving", "signature", "m", "dev")),
        ("POST", "/v1/models/m:predict", Route("tfserving", "predict", "m")),
        ("POST", "/v1/models/m/versions/3:classify", Route("tfserving", "classify", "m", "prod", 3)),
        ("POST", "/v1/models/m/labels/dev:regress", Route("tfserving", "regress", "m", "dev")),
        ("POST", "/models/m/predict", Route("plain", "predict", "m")),
        ("POST", "/models/0-_x@a-b_1/predict", Route("plain", "predict", "0-_x", "a-b_1")),
        ("POST", "/models/m/versions/1/predict", Route("plain", "predict", "m", "prod", 1)),
    ],
)
def test_a_path_names_its_route(method: str, path: str, route: Route) -> None:
    assert routes.match(method, path) == route


@pytest.mark.parametrize(
    "path",
    [
        "/", "", "//", "/v3", "/v2/", "/v2/models", "/v2/models/m/versions", "/v2/models/m/predict",
        "/v2/models/m/infer/more", "/v2/health", "/v2/repository", "/v2/repository/models/m", "/models",
        "/models/m", "/models/m/infer", "/models/m/versions/1", "/v1", "/v1/models/m:explain",
        "/v1/models/m/predict", "v2", "x/models/m/predict", "/MODELS/m/predict", "/models/a/b/predict",
        "/models/m/predict/../predict",
    ],
)  # fmt: skip
def test_an_unknown_path_is_not_found(path: str) -> None:
    with pytest.raises(NotFound) as caught:
        routes.match("GET", path)
    assert str(caught.value) == f"no route {path}; see /docs"


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v2/models/m/infer", "POST"),
        ("HEAD", "/models/m/predict", "POST"),
        ("GET", "/v2/repository/index", "POST"),
        ("POST", "/v2/health/live", "GET"),
        ("DELETE", "/v2/models/m", "GET"),
        ("post", "/models/m/predict", "POST"),
    ],
)
def test_the_wrong_verb_is_refused_by_name(method: str, path: str, allowed: str) -> None:
    with pytest.raises(MethodNotAllowed) as caught:
        routes.match(method, path)
    assert str(caught.value) == f"{path} takes {allowed}, not {method}"
    assert caught.value.headers == {"allow": "POST" if allowed == "POST" else "GET, HEAD"}


@pytest.mark.parametrize(
    ("path", "message"),
    [
        ("/models/M/predict", f"'M' cannot name a model: {NAME_RULE}"),
        ("/models/../predict", f"'..' cannot name a model: {NAME_RULE}"),
        ("/models//predict", f"'' cannot name a model: {NAME_RULE}"),
        ("/models/-m/predict", f"'-m' cannot name a model: {NAME_RULE}"),
        ("/models/ä/predict", f"'ä' cannot name a model: {NAME_RULE}"),
        ("/models/a b/predict", f"'a b' cannot name a model: {NAME_RULE}"),
        ("/models/a\nb/predict", f"'a\\nb' cannot name a model: {NAME_RULE}"),
        ("/models/²/predict", f"'²' cannot name a model: {NAME_RULE}"),
        (f"/models/{'m' * 300}/predict", f"'{'m' * 40}… (300 characters)' cannot name a model: {NAME_RULE}"),
        ("/models/stats/predict", "'stats' is a reserved word and cannot name a model"),
        ("/models/m@/predict", f"'' cannot name an alias: {NAME_RULE}"),
        ("/models/m@A/predict", f"'A' cannot name an alias: {NAME_RULE}"),
        ("/models/m@a@b/predict", f"'a@b' cannot name an alias: {NAME_RULE}"),
        ("/models/m/versions/0/predict", "'0' is no version; versions are whole numbers from 1"),
        ("/models/m/versions/-1/predict", "'-1' is no version; versions are whole numbers from 1"),
        ("/models/m/versions/latest/predict", "'latest' is no version; versions are whole numbers from 1"),
        ("/models/m/versions/٣/predict", "'٣' is no version; versions are whole numbers from 1"),
        (
            f"/models/m/versions/{'9' * 300}/predict",
            f"'{'9' * 40}' is no version; versions are whole numbers from 1",
        ),
        (
            "/models/m@dev/versions/2/predict",
            "/models/m@dev/versions/2/predict names an alias twice, or an alias and a version; give one",
        ),
    ],
)
def test_a_name_or_version_that_cannot_be_is_refused(path: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        routes.match("POST", path)
    assert str(caught.value) == message


def test_messages_stay_short() -> None:
    for method, path in (("GET", "/" + "x" * 8000), ("GET", f"/models/m/predict{'/' * 8000}")):
        with pytest.raises(ColdpressError) as caught:
            routes.match(method, path)
        assert len(str(caught.value)) < 300


PIECES = [
    "",
    "/",
    "v1",
    "v2",
    "models",
    "versions",
    "labels",
    "m",
    "@",
    ":predict",
    "infer",
    "predict",
    "1",
    "..",
    "M",
]


@given(st.text(max_size=20), st.one_of(st.text(), st.lists(st.sampled_from(PIECES)).map("/".join)))
def test_any_path_is_a_route_or_an_error_of_ours(method: str, path: str) -> None:
    try:
        route = routes.match(method, path)
    except (InvalidRequest, NotFound, MethodNotAllowed):
        return
    assert route.protocol in ("oip", "tfserving", "plain")


def test_any_number_of_paths_takes_bounded_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(routes, "_known", {})
    for _ in range(2):
        for number in range(routes.MAX_KNOWN + 10):
            assert routes.match("POST", f"/v2/models/m{number}/infer") == Route("oip", "infer", f"m{number}")
    assert 0 < len(routes._known) <= routes.MAX_KNOWN
    assert routes.match("POST", "/v2/models/m/infer") is routes.match("POST", "/v2/models/m/infer")
    with pytest.raises(MethodNotAllowed):
        routes.match("GET", "/v2/models/m/infer")

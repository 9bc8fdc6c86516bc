"""Route priority, as API Gateway documents it."""

import pytest

from coldpress_ops.local.application import Route
from coldpress_ops.local.routes import Router

ROUTES = [
    "ANY /{proxy+}",
    "ANY /models/{proxy+}",
    "ANY /models/list",
    "GET /",
    "GET /models",
    "GET /models/list",
    "GET /models/{model}",
    "POST /models/{model}/predict",
    "POST /models/special/predict",
    "POST /models/{model}/versions/{version}/predict",
]


@pytest.mark.parametrize(
    ("method", "path", "key", "parameters"),
    [
        ("GET", "/", "GET /", {}),
        ("GET", "/models", "GET /models", {}),
        ("GET", "/models/list", "GET /models/list", {}),
        ("PUT", "/models/list", "ANY /models/list", {}),
        ("GET", "/models/a", "GET /models/{model}", {"model": "a"}),
        ("PUT", "/models/a", "ANY /models/{proxy+}", {"proxy": "a"}),
        ("HEAD", "/models/a", "ANY /models/{proxy+}", {"proxy": "a"}),
        ("POST", "/models/a/predict", "POST /models/{model}/predict", {"model": "a"}),
        ("POST", "/models/special/predict", "POST /models/special/predict", {}),
        ("GET", "/models/a/predict", "ANY /models/{proxy+}", {"proxy": "a/predict"}),
        (
            "POST",
            "/models/a/versions/3/predict",
            "POST /models/{model}/versions/{version}/predict",
            {"model": "a", "version": "3"},
        ),
        ("GET", "/other/deep/path/", "ANY /{proxy+}", {"proxy": "other/deep/path/"}),
        # A parameter is never empty.
        ("POST", "/models//predict", "ANY /models/{proxy+}", {"proxy": "/predict"}),
    ],
)
@pytest.mark.parametrize("order", [1, -1])
def test_priority(method: str, path: str, key: str, parameters: dict[str, str], order: int) -> None:
    routes = [Route(*text.split(), "F") for text in ROUTES]
    matched = Router(routes[::order]).match(method, path)
    assert matched is not None
    assert (matched[0].key, matched[1]) == (key, parameters)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/other"),
        ("GET", "/v2/"),
        ("GET", "/models/"),
        ("HEAD", "/models"),
        ("OPTIONS", "/models"),
        ("GET", ""),
    ],
)
def test_no_route(method: str, path: str) -> None:
    router = Router(
        [Route("GET", "/models", "F"), Route("ANY", "/v2/{proxy+}", "F"), Route("GET", "/v2", "F")]
    )
    assert router.match(method, path) is None

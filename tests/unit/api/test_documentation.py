"""`/docs` and `/openapi.json`, also where there is no network."""

import re
from pathlib import Path
from typing import Any

import yaml
from openapi_spec_validator import validate

ROOT = Path(__file__).parents[3]


def test_the_document_is_valid_openapi(api: Any) -> None:
    answer = api.call("GET", "/openapi.json", key=None)
    assert answer.status == 200
    validate(answer.json)


def test_what_the_document_promises(api: Any) -> None:
    document = api.call("GET", "/openapi.json").json
    operations = {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    }
    assert {operation["operationId"] for operation in operations.values()} == {
        "alive",
        "list_models",
        "list_versions",
        "move_alias",
        "open_upload",
        "roll_back",
        "show_alias",
        "show_model",
        "show_upload",
        "show_version",
    }
    known_tags = {tag["name"] for tag in document["tags"]}
    for (_, path), operation in operations.items():
        assert operation["summary"]
        assert operation["description"]
        assert set(operation["tags"]) <= known_tags
        assert "422" not in operation["responses"]
        if path == "/":
            continue
        assert operation["security"] == [{"ApiKey": []}, {"Bearer": []}]
        errors = {status for status in operation["responses"] if not status.startswith("2")}
        assert errors >= {"401", "403", "default"}
        for status in errors:
            schema = operation["responses"][status]["content"]["application/json"]["schema"]
            assert schema == {"$ref": "#/components/schemas/Failure"}
    assert set(document["components"]["schemas"]["Failure"]["properties"]) == {"error"}


def test_the_page_needs_nothing_from_elsewhere(api: Any) -> None:
    page = api.call("GET", "/docs", key=None)
    assert page.headers["content-type"].startswith("text/html")
    assert '"validatorUrl": null' in page.body
    assert "//" not in re.sub(r"(?m)^\s*//.*$", "", page.body)  # no other host, not even of our own scheme
    assets = re.findall(r'(?:src|href)="([^"]+)"', page.body)
    assert sorted(assets) == [
        "/docs/files/favicon.png",
        "/docs/files/swagger-ui-bundle.js",
        "/docs/files/swagger-ui.css",
    ]
    for asset in assets:
        answer = api.call("GET", asset, key=None)
        assert answer.status == 200
        assert len(answer.body) > 500
        assert "@import" not in answer.body[:1000]


def template() -> Any:
    class Loader(yaml.SafeLoader):
        """Reads CloudFormation's tags as their text."""

    Loader.add_multi_constructor("!", lambda loader, _suffix, node: loader.construct_object(_plain(node)))

    def _plain(node: Any) -> Any:
        kinds = {yaml.ScalarNode: "str", yaml.SequenceNode: "seq", yaml.MappingNode: "map"}
        return type(node)(f"tag:yaml.org,2002:{kinds[type(node)]}", node.value)

    return yaml.load((ROOT / "template.yaml").read_text(), Loader)  # noqa: S506


def test_the_gateway_brings_every_route_here(api: Any) -> None:
    events = template()["Resources"]["ApiFunction"]["Properties"]["Events"].values()
    routes = [(event["Properties"]["Method"], event["Properties"]["Path"]) for event in events]
    paths = api.call("GET", "/openapi.json").json["paths"]
    asked = [(method.upper(), path) for path, methods in paths.items() for method in methods]
    asked += [("GET", path) for path in ("/docs", "/openapi.json", "/docs/files/swagger-ui.css")]
    for method, path in asked:
        assert any(
            allowed in (method, "ANY")
            and re.fullmatch(re.sub(r"\{[^}+]+\}", "[^/]+", re.sub(r"\{[^}]+\+\}", ".+", route)), path)
            for allowed, route in routes
        ), (method, path)

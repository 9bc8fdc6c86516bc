"""`/docs` and `/openapi.json`, also where there is no network."""

import re
from pathlib import Path
from typing import Any

import yaml
from openapi_spec_validator import validate

from coldpress import routes

ROOT = Path(__file__).parents[3]


def test_the_document_is_valid_openapi(api: Any) -> None:
    answer = api.call("GET", "/openapi.json", key=None)
    assert answer.status == 200
    validate(answer.json)


def operations_of(document: Any, *, data_plane: bool) -> dict[tuple[str, str], Any]:
    return {
        (method, path): operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if (operation["tags"] == ["Data plane"]) is data_plane
    }


def test_what_the_document_promises(api: Any) -> None:
    document = api.call("GET", "/openapi.json").json
    operations = operations_of(document, data_plane=False)
    assert {operation["operationId"] for operation in operations.values()} == {
        "alive",
        "end_shadow",
        "list_models",
        "list_runs",
        "list_versions",
        "move_alias",
        "open_upload",
        "roll_back",
        "set_shadow",
        "show_alias",
        "show_logs",
        "show_model",
        "show_run",
        "show_upload",
        "show_version",
        "start_run",
        "stop_run",
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


def function_of(method: str, path: str) -> str | None:
    """The function that API Gateway would ask: a whole match wins, then the longest greedy one.

    https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-routes.html
    """
    matches = []
    for name, resource in template()["Resources"].items():
        if resource["Type"] != "AWS::Serverless::Function":
            continue
        for event in resource["Properties"].get("Events", {}).values():
            if event["Type"] != "HttpApi" or event["Properties"]["Method"] not in (method, "ANY"):
                continue
            route = event["Properties"]["Path"]
            pattern = re.sub(r"\{[^}+]+\}", "[^/]+", re.sub(r"\{[^}]+\+\}", ".+", route))
            if re.fullmatch(pattern, path):
                matches.append(("+}" not in route, len(route), name))
    return max(matches)[2] if matches else None


def test_the_gateway_brings_every_route_here(api: Any) -> None:
    operations = operations_of(api.call("GET", "/openapi.json").json, data_plane=False)
    asked = [(method.upper(), path) for method, path in operations]
    asked += [("GET", path) for path in ("/docs", "/openapi.json", "/docs/files/swagger-ui.css")]
    for method, path in asked:
        assert function_of(method, path) == "ApiFunction", (method, path)


def test_the_data_plane_is_what_the_predict_function_routes(api: Any) -> None:
    operations = operations_of(api.call("GET", "/openapi.json").json, data_plane=True)
    found = set()
    for method, path in operations:
        assert function_of(method.upper(), path) == "PredictFunction", (method, path)
        real = path.format(model="scores", version=7, label="beta")
        route = routes.match(method.upper(), real)
        assert (route.version == 7) is ("{version}" in path)
        assert (route.alias == "beta") is ("{label}" in path)
        assert route.model == ("scores" if "{model}" in path else "")
        found.add((route.protocol, route.action))
    served = {(protocol, action) for protocol, action in routes._SERVER.values()}
    for protocol, actions in routes._OF_A_MODEL.items():
        served |= {(protocol, action) for action in actions.values()}
    assert found == served | {("oip", "load"), ("oip", "unload")}


def test_what_the_document_promises_of_the_data_plane(api: Any) -> None:
    document = api.call("GET", "/openapi.json").json
    every = [operation for item in document["paths"].values() for operation in item.values()]
    names = [operation["operationId"] for operation in every]
    assert len(names) == len(set(names))
    for (method, path), operation in operations_of(document, data_plane=True).items():
        real = path.format(model="scores", version=7, label="beta")
        public = routes.match(method.upper(), real).action in routes.PUBLIC
        assert operation["security"] == ([] if public else [{"ApiKey": []}, {"Bearer": []}])
        assert ("401" in operation["responses"]) is not public
        assert operation["summary"]
        assert operation["description"]
        for status, answer in operation["responses"].items():
            assert {"x-request-id", "server-timing"} <= set(answer["headers"])
            if status != "200":
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/Failure"}

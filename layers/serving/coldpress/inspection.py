"""What the data plane says of itself and its models: every action that runs no model."""

import time

from coldpress.errors import InvalidRequest
from coldpress.gateway import Request, Response
from coldpress.models import Models
from coldpress.protocols.oip import configuration, metadata
from coldpress.protocols.values import parse, to_json
from coldpress.registry import DEFAULT_ALIAS, Manifest, Registry
from coldpress.routes import Route
from coldpress.telemetry import Trace
from coldpress.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coldpress.serving import DataPlane


def answer(route: Route, request: Request, trace: Trace, plane: "DataPlane") -> Response:
    """The answer to an action of `routes` that is no inference.

    Raises:
        NotFound: an unknown model, alias or version.
        Unavailable: not ready.
    """
    found = (
        _of_a_model(route, request, trace, plane) if route.model else _of_the_server(route, request, plane)
    )
    return Response(200, {"content-type": "application/json"}, to_json(found))


def _of_the_server(route: Route, request: Request, plane: "DataPlane") -> Any:
    match route.action:
        case "live":
            return {"live": True}
        case "server_ready":
            plane.opener.library()
            return {"ready": True}
        case "stats":
            return _stats(plane.statistics.report())
        case "index":
            return _index(request, plane.registry, plane.models)
        case "models":
            return {"models": plane.registry.models()}
        case _:
            return metadata.server()


def _of_a_model(route: Route, request: Request, trace: Trace, plane: "DataPlane") -> Any:
    at = time.perf_counter()
    if route.action == "load":
        _refuse_overrides(request)
        plane.resolver.forget(route.model)
    manifest = plane.resolver.manifest(route.model, route.alias, route.version, request.id)
    trace.lap("resolve", at)
    trace.fields |= {"model": manifest.model, "version": manifest.version}
    match route.action:
        case "ready":
            plane.models.get(manifest, "", trace)
            return metadata.ready(manifest)
        case "config":
            return configuration.model_configuration(manifest)
        case "stats":
            rows = plane.statistics.report(manifest.model, route.version)
            return _stats(rows or plane.statistics.empty(manifest))
        case "load":
            plane.models.get(manifest, "", trace)
            return {}
        case "unload":
            plane.models.unload(manifest.model)
            return {}
        case "status":
            from coldpress.protocols.tfserving import status

            return status(manifest, _versions(route, manifest, plane.registry))
        case "signature":
            from coldpress.protocols.tfserving import signature

            return signature(manifest)
        case _:
            return metadata.model(manifest, _versions(route, manifest, plane.registry))


def _versions(route: Route, manifest: Manifest, registry: Registry) -> list[int]:
    """All versions, or the one that a number or label names."""
    named = route.version or route.alias != DEFAULT_ALIAS
    return [manifest.version] if named else registry.versions(manifest.model)


def _stats(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"model_stats": rows, "scope": "this execution environment only; others count for themselves"}


def _index(request: Request, registry: Registry, models: Models) -> list[dict[str, str]]:
    """Every registered version loads on demand, so all are ready but those that failed to open here."""
    body = parse(request.body) if request.body.strip() else {}
    if not isinstance(body, dict) or not isinstance(body.get("ready", False), bool):
        raise InvalidRequest('the body must be empty or {"ready": true}')
    rows = []
    for model, version in registry.index():
        reason = models.failure(model, version)
        state = "UNAVAILABLE" if reason else "READY"
        if not (reason and body.get("ready")):
            rows.append({"name": model, "version": str(version), "state": state, "reason": reason})
    return rows


def _refuse_overrides(request: Request) -> None:
    body = parse(request.body) if request.body.strip() else {}
    if not isinstance(body, dict):
        raise InvalidRequest("the body must be empty or {}")
    parameters = body.get("parameters")
    if parameters not in (None, {}):
        raise InvalidRequest(
            f"load takes no parameters (got {parameters!r:.80}): "
            "a version is what was published; publish a new one"
        )

"""What the data plane says of itself and its models: every action that runs no model."""

import json
import time
from typing import Any

from coldpress.errors import InvalidRequest
from coldpress.gateway import Request, Response
from coldpress.models import Models
from coldpress.protocols.oip import configuration, metadata
from coldpress.protocols.values import parse
from coldpress.registry import Manifest, Registry
from coldpress.routes import Route
from coldpress.statistics import Statistics
from coldpress.telemetry import Trace


def answer(
    route: Route, request: Request, trace: Trace, registry: Registry, models: Models, statistics: Statistics
) -> Response:
    """The answer to an action of `routes` that is no inference.

    Raises:
        NotFound: an unknown model, alias or version.
        Unavailable: not ready.
    """
    if not route.model:
        found = _server(route, request, registry, models, statistics)
    else:
        at = time.perf_counter()
        if route.action == "load":
            models.forget(route.model)
        manifest = models.manifest(route.model, route.alias, route.version, request.id)
        trace.lap("resolve", at)
        trace.fields |= {"model": manifest.model, "version": manifest.version}
        found = _model(route, request, trace, manifest, models, statistics)
    return Response(200, {"content-type": "application/json"}, json.dumps(found, ensure_ascii=False).encode())


def _server(
    route: Route, request: Request, registry: Registry, models: Models, statistics: Statistics
) -> Any:
    match route.action:
        case "live":
            return {"live": True}
        case "server_ready":
            models.check_library()
            return {"ready": True}
        case "stats":
            return _stats(statistics.report())
        case "index":
            return _index(request, registry, models)
        case "models":
            return {"models": registry.models()}
        case _:
            return metadata.server()


def _model(
    route: Route, request: Request, trace: Trace, manifest: Manifest, models: Models, statistics: Statistics
) -> Any:
    match route.action:
        case "ready":
            models.get(manifest, trace)
            return metadata.ready(manifest)
        case "config":
            return configuration.model_configuration(manifest)
        case "stats":
            return _stats(statistics.report(manifest.model, route.version) or statistics.empty(manifest))
        case "load":
            _refuse_overrides(request)
            models.get(manifest, trace)
            return {}
        case "unload":
            models.unload(manifest.model)
            return {}
        case "status":
            from coldpress.protocols.tfserving import status

            return status(manifest)
        case "signature":
            from coldpress.protocols.tfserving import signature

            return signature(manifest)
        case _:
            return metadata.model(manifest)


def _stats(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"model_stats": rows, "scope": "this execution environment only; others count for themselves"}


def _index(request: Request, registry: Registry, models: Models) -> list[dict[str, str]]:
    """Every registered version loads on demand, so all are ready but those that failed to open here."""
    body = parse(request.body) if request.body.strip() else {}
    if not isinstance(body, dict):
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
    parameters = body.get("parameters") if isinstance(body, dict) else None
    if parameters:
        raise InvalidRequest(
            f"load takes no parameters (got {', '.join(map(str, parameters)):.80}): "
            "a version is what was published; publish a new one"
        )

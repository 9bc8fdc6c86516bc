"""The data plane: one event in, one answer out. Read `answer` top to bottom; nothing skips a step."""

import os
import time
from typing import Any

from coldpress import __version__, access, errors, gateway, routes, settings
from coldpress.gateway import Request, Response
from coldpress.models import Models
from coldpress.protocols import oip, plain
from coldpress.registry import Registry
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.store import Store
from coldpress.telemetry import Trace

JSON = "application/json"


class DataPlane:
    """What the predict function is."""

    def __init__(self, config: Settings) -> None:
        """Opens the store and begins to open ONNX Runtime. Raises `StoreUnusable`."""
        self._settings = config
        store = Store(config.store)
        self._models = Models(Registry(store), config)
        self._access = access.Access(store, config.key_seconds)

    @classmethod
    def from_environment(cls) -> "DataPlane":
        """Settings from `COLDPRESS_*`, the memory from Lambda."""
        config = settings.from_environment()
        memory = config.memory_mb or int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0"))
        return cls(config._replace(memory_mb=memory))

    def answer(self, event: dict[str, Any]) -> dict[str, Any]:
        """Answers a gateway's event. Every error becomes a status and `{"error": …}`."""
        trace = Trace()
        try:
            request = gateway.read(event, self._settings.base_path, self._settings.max_body_bytes)
            trace.fields["request_id"] = request.id
            reply = gateway.reply(self._respond(request, trace))
        except Exception as error:  # the last step of every request: an error is an answer too
            if not isinstance(error, errors.ColdpressError):
                import traceback

                traceback.print_exc()
            trace.fields["error"] = str(error)
            reply = gateway.reply(
                Response(errors.status_of(error), {"content-type": JSON}, errors.body_of(error))
            )
        trace.fields["status"] = reply["statusCode"]
        reply["headers"] |= {"server-timing": trace.server_timing()}
        if "request_id" in trace.fields:
            reply["headers"]["x-request-id"] = trace.fields["request_id"]
        trace.emit()
        return reply

    def _respond(self, request: Request, trace: Trace) -> Response:
        route = routes.match(request.method, request.path)
        if route.action not in routes.PUBLIC:
            at = time.perf_counter()
            caller = self._access.caller(request.headers)
            access.require(caller, f"predict:{route.model}" if route.model else "read")
            trace.lap("access", at)
        if not route.model:
            return self._server(route)
        return self._model(route, request, trace)

    def _server(self, route: Route) -> Response:
        if route.action == "server":
            return _json(oip.server_metadata(__version__))
        return _json(b'{"live": true}' if route.action == "live" else b'{"ready": true}')

    def _model(self, route: Route, request: Request, trace: Trace) -> Response:
        at = time.perf_counter()
        manifest = self._models.manifest(route.model, route.alias, route.version, request.id)
        trace.lap("resolve", at)
        trace.fields |= {"model": manifest.model, "version": manifest.version}
        if route.action == "metadata":
            return _json(oip.model_metadata(manifest))
        model = self._models.get(manifest, trace)
        if route.action == "ready":
            return _json(oip.model_ready(manifest))
        at = time.perf_counter()
        if route.protocol == "oip":
            inference = oip.decode(request.body, self._settings)
        else:
            content_type = request.headers.get("content-type", "")
            inference = oip.Inference(
                None, plain.decode(request.body, content_type, manifest, self._settings), None
            )
        at = trace.lap("decode", at)
        outputs = model.session.run(inference.tensors, inference.outputs)
        at = trace.lap("infer", at)
        if route.protocol == "oip":
            body = oip.encode(inference, manifest, outputs)
        else:
            body = plain.encode(manifest, outputs)
        trace.lap("encode", at)
        response = _json(body)
        response.headers["x-model-version"] = f"{manifest.model}/{manifest.version}"
        return response


def _json(body: bytes) -> Response:
    return Response(200, {"content-type": JSON}, body)

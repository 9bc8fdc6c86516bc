"""The data plane: one event in, one answer out. Read `answer` top to bottom; nothing skips a step."""

import os
import time

from coldpress import access, errors, gateway, routes, settings
from coldpress.gateway import Request, Response
from coldpress.models import Models
from coldpress.opening import Model, Opener
from coldpress.protocols.codec import codec
from coldpress.registry import DEFAULT_ALIAS, Registry
from coldpress.resolver import Resolver
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.statistics import Statistics
from coldpress.store import Store
from coldpress.telemetry import Trace
from coldpress.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coldpress.shadow import Shadow

LEAST_COMPRESSED = 1024
"""Bytes; smaller answers are not worth compressing."""
ANSWER_SECONDS = 0.5
"""Kept back from the function's time for writing the answer."""


class DataPlane:
    """What the predict function is."""

    def __init__(self, config: Settings) -> None:
        """Opens the store and begins to open ONNX Runtime. Raises `StoreUnusable`."""
        self.settings = config
        self.store = Store(config.store)
        self.registry = Registry(self.store)
        self.opener = Opener(self.store, config)
        self.resolver = Resolver(self.registry, config.alias_seconds)
        self.models = Models(self.opener, config)
        self.access = access.Access(self.store, config.key_seconds)
        self.statistics = Statistics()
        self.shadow = self._shadow() if config.shadow == "on" else None

    def _shadow(self) -> "Shadow":
        from coldpress.shadow import Shadow

        return Shadow(self.resolver, self.models)

    @classmethod
    def from_environment(cls) -> "DataPlane":
        """Settings from `COLDPRESS_*`, the memory from Lambda."""
        config = settings.from_environment()
        memory = config.memory_mb or int(os.environ.get("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "0"))
        plane = cls(config._replace(memory_mb=memory))
        if config.preload:
            plane.preload(config.preload.split(","))
        if os.environ.get("AWS_LAMBDA_INITIALIZATION_TYPE") == "snap-start":
            from coldpress import snapshot

            snapshot.register(plane)
        return plane

    def preload(self, names: list[str]) -> None:
        """Opens models (`name` or `name@alias`) before the first request asks.

        One that cannot be opened is logged and left to its first request: Lambda would end the whole
        environment over it.
        """
        for name in filter(None, map(str.strip, names)):
            trace = Trace(counted=False)
            model, _, alias = name.partition("@")
            try:
                manifest = self.resolver.manifest(model, alias or DEFAULT_ALIAS, 0, "")
                self.models.get(manifest, alias or DEFAULT_ALIAS, trace)
            except errors.ColdpressError as error:
                trace.fields["error"] = str(error)
            trace.fields |= {"preload": name}
            trace.emit()

    def answer(self, event: dict[str, Any], context: Any = None) -> dict[str, Any]:
        """Answers a gateway's event. Every error becomes a status and `{"error": …}`.

        `context` is Lambda's; what time it leaves is the deadline of the model's run.
        """
        trace = Trace()
        if self.shadow is not None:
            self.shadow.begin()
        deadline = _deadline(context)
        request_id = ""
        try:
            request = gateway.read(event, self.settings.base_path, self.settings.max_body_bytes)
            request_id = _note(request, event, trace)
            response = self._respond(request, trace, deadline)
            reply = gateway.reply(response)
        except Exception as error:  # the last step of every request: an error is an answer too
            request_id = request_id or gateway.id_of(event)
            response = _failure(error, trace)
            reply = gateway.reply(response)
        headers = reply["headers"]
        headers["server-timing"] = trace.server_timing()
        headers["x-request-id"] = request_id
        trace.metrics["BytesOut"] = len(response.body)
        trace.fields["request_id"], trace.fields["status"] = request_id, response.status
        trace.emit()
        if self.shadow is not None:
            self.shadow.end()
        return gateway.address(reply, event)

    def _respond(self, request: Request, trace: Trace, deadline: float | None) -> Response:
        route = routes.match(request.method, request.path)
        if route.action not in routes.PUBLIC:
            if route.model:
                self.resolver.expect(route.model, route.alias, route.version)
            self._check_access(route, request, trace)
        if route.action in routes.INFERENCES:
            return self._infer(route, request, trace, deadline)
        from coldpress import inspection

        return inspection.answer(route, request, trace, self)

    def _caller(self, request: Request) -> access.Caller:
        if self.settings.auth == "keys":
            return self.access.caller(request.headers)
        from coldpress import principal

        return principal.caller(request.principal)

    def _check_access(self, route: Route, request: Request, trace: Trace) -> None:
        at = time.perf_counter()
        caller = self._caller(request)
        if route.action in routes.ADMIN:
            access.require(caller, "admin")
        elif route.action in routes.INFERENCES or (route.model and not caller.may("read")):
            access.require(caller, f"predict:{route.model}")
        elif route.action not in routes.ANY_KEY:
            access.require(caller, "read")
        trace.lap("access", at)

    def _model(self, route: Route, request: Request, trace: Trace) -> Model:
        """The open model that answers; the trace tells which it is."""
        at = time.perf_counter()
        manifest = self.resolver.manifest(route.model, route.alias, route.version, request.id)
        trace.lap("resolve", at)
        trace.fields["model"], trace.fields["version"] = manifest.model, manifest.version
        if route.version:
            return self.models.get(manifest, "", trace, waiting=True)
        outage = self.resolver.outage(route.model, route.alias)
        if outage:
            trace.metrics["StaleAliases"] = 1
            trace.fields["alias_stale"] = outage
        shared = self.resolver.is_shared(manifest.model, route.alias)
        model = self.models.get(manifest, route.alias, trace, shared=shared, waiting=True)
        trace.fields["version"] = model.manifest.version
        return model

    def _infer(self, route: Route, request: Request, trace: Trace, deadline: float | None) -> Response:
        model = self._model(route, request, trace)
        manifest = model.manifest
        began = time.perf_counter()
        try:
            protocol = codec(route.protocol)
            if "content-encoding" in request.headers:
                request = self._decompressed(request)
            inference = protocol.decode(request, route, manifest, self.settings)
            at = trace.lap("decode", began)
            outputs = model.run(inference.tensors, inference.outputs, deadline=deadline)
            at = trace.lap("infer", at)
            response = protocol.encode(inference, manifest, outputs)
            trace.lap("encode", at)
        except Exception:
            self.statistics.failed(manifest.model, manifest.version, int((time.perf_counter() - began) * 1e9))
            raise
        if self.shadow is not None:
            alias = "" if route.version else route.alias
            self.shadow.answer(alias, request.id, model, inference, outputs, deadline)
        self.statistics.succeeded(manifest.model, manifest.version, inference.tensors, trace.stages)
        response.headers["x-model-version"] = f"{manifest.model}/{manifest.version}"
        return self._compressed(response, request)

    def _decompressed(self, request: Request) -> Request:
        from coldpress.compression import decompress

        encoding = request.headers["content-encoding"]
        return request._replace(body=decompress(request.body, encoding, self.settings.max_body_bytes))

    def _compressed(self, response: Response, request: Request) -> Response:
        accepted = request.headers.get("accept-encoding", "")
        if not accepted or len(response.body) < LEAST_COMPRESSED:
            return response
        from coldpress.compression import choose, compress

        encoding = choose(accepted)
        if not encoding:
            return response
        headers = response.headers | {"content-encoding": encoding, "vary": "accept-encoding"}
        return Response(response.status, headers, compress(response.body, encoding))


def _note(request: Request, event: dict[str, Any], trace: Trace) -> str:
    """Writes down which request this is and what came; answers its id."""
    trace.metrics["BytesIn"] = len(request.body)
    sent = gateway.sent_at(event)
    if sent is not None:
        trace.queued(sent)
    traced = request.headers.get("x-amzn-trace-id")  # every gateway sends it
    if traced:
        trace.fields["xray_trace_id"] = traced.removeprefix("Root=").partition(";")[0]
    return request.id


def _deadline(context: Any) -> float | None:
    """When a run must end for its answer to leave in time, in `time.monotonic` seconds."""
    if context is None:
        return None
    left: float = context.get_remaining_time_in_millis() / 1000
    return time.monotonic() + left - ANSWER_SECONDS


def _failure(error: Exception, trace: Trace) -> Response:
    if isinstance(error, MemoryError):
        error = errors.TooLarge("the request or its answer needs more memory than there is; send fewer rows")
    trace.fields["error"] = str(error)
    if error.__cause__ is not None:
        trace.fields["cause"] = f"{error.__cause__}"[:1000]
    headers = {"content-type": "application/json"}
    if isinstance(error, errors.ColdpressError):
        headers |= error.headers
    else:
        import traceback

        traceback.print_exc()
    return Response(errors.status_of(error), headers, errors.body_of(error))

"""One line of metrics a request (CloudWatch's embedded metric format), request ids, structured logs."""

import os
import time
import uuid
from typing import Any

from aws_lambda_powertools import Logger, Metrics
from aws_lambda_powertools.metrics import MetricUnit
from fastapi import FastAPI
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

# The namespace and names are those of the data plane's lines: one dashboard shows all functions.
SERVICE = os.environ.get("POWERTOOLS_SERVICE_NAME", "coldpress-api")
logger = Logger(service=SERVICE)
metrics = Metrics(namespace="Coldpress", service=SERVICE)


def install(app: FastAPI) -> None:
    """Measures every request of `app`. Installed last, it is the outermost layer."""
    app.add_middleware(Telemetry)


def request_id(scope: Scope) -> str:
    """The gateway's id of a request; a fresh one where no gateway gave any."""
    context: dict[str, Any] = scope.get("aws.event", {}).get("requestContext", {})
    return str(context.get("requestId") or uuid.uuid4())


class Telemetry:
    """Times a request, gives its answer an id and writes its line."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.cold = True

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Passes everything through; only headers are added."""
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began, own_id, status = time.perf_counter(), request_id(scope), 500
        logger.append_keys(request_id=own_id)

        async def tagged(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers["x-request-id"] = own_id
                headers["server-timing"] = f"total;dur={_ms_since(began):.2f}"
            await send(message)

        try:
            await self.app(scope, receive, tagged)
        finally:
            self._emit(scope, own_id, status, _ms_since(began))
        return None

    def _emit(self, scope: Scope, own_id: str, status: int, ms: float) -> None:
        metrics.add_metric("Duration", MetricUnit.Milliseconds, round(ms, 3))
        metrics.add_metric("ColdStart", MetricUnit.Count, int(self.cold))
        self.cold = False
        # Metadata is searchable in the log and, unlike a dimension, makes no further paid metric.
        about = {"method": scope["method"], "path": scope["path"], "status": status, "request_id": own_id}
        for key, value in about.items():
            metrics.add_metadata(key, value)
        metrics.flush_metrics()


def _ms_since(began: float) -> float:
    return (time.perf_counter() - began) * 1000

"""The HTTP side: signed uploads, and every route of the template."""

import json
import logging
import time
import uuid
from collections.abc import Mapping

from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from coldpress.errors import Internal, NotFound, TooLarge, body_of, status_of
from coldpress.uploads import LOCAL_ROUTE
from coldpress_ops.local import gateway
from coldpress_ops.local.failures import FunctionFailed
from coldpress_ops.local.pool import Pool
from coldpress_ops.local.routes import Router
from coldpress_ops.local.uploads import Uploads

logger = logging.getLogger(__name__)


class Web:
    """An ASGI application."""

    def __init__(self, router: Router, pools: Mapping[str, Pool], uploads: Uploads) -> None:
        """`pools`: by function name."""
        self._router = router
        self._pools = pools
        self._uploads = uploads

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request; every error is a JSON body `{"error": …}`."""
        request = Request(scope, receive)
        try:
            if request.method == "PUT" and scope["path"].startswith(LOCAL_ROUTE):
                response = await self._uploads.put(request)
            else:
                response = await self._invoke(request)
        except ClientDisconnect:
            return
        except Exception as error:
            _log(request, error)
            response = Response(body_of(error), status_of(error), media_type="application/json")
        await response(scope, receive, send)

    async def _invoke(self, request: Request) -> Response:
        path = request.scope["path"]
        matched = self._router.match(request.method, path)
        if matched is None:
            raise NotFound(f"there is no route {request.method} {path}")
        route, parameters = matched
        event = json.dumps(
            gateway.event_of(
                gateway.HttpRequest(
                    method=request.method,
                    path=path,
                    query=request.scope["query_string"].decode("latin-1"),
                    headers=request.headers.items(),
                    body=await _body(request),
                    protocol=f"HTTP/{request.scope['http_version']}",
                    client=request.client.host if request.client else "",
                ),
                *(route, parameters, str(uuid.uuid4()), time.time()),
            )
        ).encode()
        if len(event) > gateway.MAX_PAYLOAD_BYTES:
            raise TooLarge(
                f"the request makes an event of {len(event)} bytes, and a function takes at most "
                f"{gateway.MAX_PAYLOAD_BYTES}; send less at a time (a binary body grows by a third)"
            )
        answer = await self._pools[route.function].invoke(event)
        if len(answer) > gateway.MAX_PAYLOAD_BYTES:
            raise Internal(
                f"the answer has {len(answer)} bytes, and a function sends at most "
                f"{gateway.MAX_PAYLOAD_BYTES}; ask for less at a time"
            )
        answered = gateway.response_of(answer)
        response = Response(answered.body, answered.status)
        for name, value in answered.headers:
            response.headers.append(name, value)
        return response


async def _body(request: Request) -> bytes:
    """The whole body, if it is within API Gateway's limit."""
    limit = gateway.MAX_REQUEST_BYTES
    declared = request.headers.get("content-length", "")
    chunks: list[bytes] = []
    size = int(declared) if declared.isdigit() else 0
    if size <= limit:
        size = 0
        async for chunk in request.stream():
            chunks.append(chunk)
            size += len(chunk)
            if size > limit:
                break
    if size > limit:
        raise TooLarge(
            f"the body has {size} bytes or more, the limit is {limit}; upload large files with POST /uploads"
        )
    return b"".join(chunks)


def _log(request: Request, error: Exception) -> None:
    """Tells the operator what the caller is not told."""
    what = f"{request.method} {request.scope['path']}"
    if isinstance(error, FunctionFailed):
        logger.warning("%s: %s (%s)", what, error, error.detail)
    elif status_of(error) >= 500:
        logger.warning("%s: %s", what, error, exc_info=None if isinstance(error, Internal) else error)

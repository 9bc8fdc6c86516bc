"""`PUT /uploads/files/{key}`: a signed upload, streamed to disk and renamed into the store."""

import asyncio
import os
import time
import uuid
from collections.abc import Callable
from pathlib import Path

from starlette.requests import Request
from starlette.responses import Response

from coldpress.errors import InvalidRequest, TooLarge, Unavailable
from coldpress.uploads import LOCAL_ROUTE, verify_upload
from coldpress_ops.local.state import State


class Uploads:
    """Answers the upload route."""

    def __init__(self, state: State, max_bytes: int, stored: Callable[[str], None]) -> None:
        """`stored` is called with the key of each complete upload."""
        self._state = state
        self._max_bytes = max_bytes
        self._stored = stored

    async def put(self, request: Request) -> Response:
        """Stores the body under the key that the URL was signed for.

        Raises:
            Forbidden: no signature, a wrong one, or an expired one.
            TooLarge: more bytes than a model may have.
            Unavailable: the disk does not take it.
        """
        key = request.scope["path"].removeprefix(LOCAL_ROUTE)
        query = request.query_params
        verify_upload(
            self._state.secret, key, query.get("expires", ""), query.get("signature", ""), time.time()
        )
        if any(part in ("", ".", "..") for part in key.split("/")) or "\0" in key:
            raise InvalidRequest(f"{key!r} is no object key")
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > self._max_bytes:
            raise self._too_large(int(declared))
        try:
            await self._receive(request, self._state.objects / key)
        except OSError as error:
            raise Unavailable(f"the upload could not be stored: {error.strerror}") from error
        self._stored(key)
        return Response(status_code=200)

    async def _receive(self, request: Request, target: Path) -> None:
        partial = self._state.partial / uuid.uuid4().hex
        try:
            with partial.open("xb") as file:
                received = 0
                async for chunk in request.stream():
                    received += len(chunk)
                    if received > self._max_bytes:
                        raise self._too_large(received)
                    await asyncio.to_thread(file.write, chunk)
                file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
            target.parent.mkdir(parents=True, exist_ok=True)
            partial.replace(target)
        finally:
            partial.unlink(missing_ok=True)

    def _too_large(self, size: int) -> TooLarge:
        return TooLarge(
            f"the upload has {size} bytes or more, the limit is {self._max_bytes} (COLDPRESS_MAX_MODEL_BYTES)"
        )

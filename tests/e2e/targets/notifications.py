"""A bucket's events for `sam local`, which has none: each new upload becomes a message for ingest."""

import json
import threading
import urllib.parse
from types import TracebackType
from typing import Any, Self

import httpx
import obstore

from .deployment import Objects

POLL_SECONDS = 0.1
INVOKE_SECONDS = 300
TRIES = 3


def message(bucket: str, key: str, size: int, etag: str) -> dict[str, Any]:
    """What the queue hands to the ingest function when `key` was put."""
    record = {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "eventName": "ObjectCreated:Put",
        "s3": {
            "bucket": {"name": bucket},
            "object": {"key": urllib.parse.quote_plus(key, safe="/"), "size": size, "eTag": etag.strip('"')},
        },
    }
    body = json.dumps({"Records": [record]})
    return {"Records": [{"messageId": etag or key, "eventSource": "aws:sqs", "body": body, "attributes": {}}]}


class Notifications:
    """Watches `incoming/` for the length of a `with` block, and delivers what the template's filter would."""

    def __init__(self, objects: Objects, bucket: str, functions: str) -> None:
        self._objects, self._bucket = objects, bucket
        self._url = f"{functions}/2015-03-31/functions/IngestFunction/invocations"
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="notifications", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, _kind: type[BaseException] | None, _error: BaseException | None, _trace: TracebackType | None
    ) -> None:
        self._stop.set()
        self._thread.join()

    def _watch(self) -> None:
        seen: set[tuple[str, str]] = set()
        while not self._stop.wait(POLL_SECONDS):
            for page in obstore.list(self._objects.at, "incoming"):
                for meta in page:
                    version = meta["path"], meta["e_tag"] or ""
                    if version not in seen and meta["path"].endswith(".onnx"):
                        seen.add(version)
                        self._deliver(message(self._bucket, meta["path"], meta["size"], version[1]))

    def _deliver(self, event: dict[str, Any]) -> None:
        for _ in range(TRIES):
            answer = httpx.post(self._url, json=event, timeout=INVOKE_SECONDS)
            if answer.status_code == 200 and not answer.json().get("batchItemFailures"):
                return

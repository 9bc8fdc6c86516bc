"""Storage events, however they come -> the keys of objects that were put, and what could not be handled.

An event is a hint, never the truth: only keys are taken from it, and what is stored is read again.
"""

import json
import sys
import traceback
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple
from urllib.parse import unquote_plus

from coldpress.errors import InvalidRequest, Unavailable
from coldpress.uploads import INCOMING

SUFFIX = ".onnx"


class Message(NamedTuple):
    """One delivery. `id` is the queue's, or empty when the function was called with the event itself."""

    id: str
    body: Any
    tries: int = 0
    """How often the queue has delivered it, this time included; 0: nobody counts."""


def handle(event: dict[str, Any], ingest: Callable[[str, int], object]) -> dict[str, Any]:
    """Calls `ingest` with the key of every model file that `event` tells of, and the message's tries.

    `ingest` raises only what a later try may cure; a refused upload is a success.

    Returns:
        What Lambda reads of a batch from a queue: `{"batchItemFailures": [{"itemIdentifier": …}]}`.

    Raises:
        Unavailable: it failed, and there is no queue to say so to: Lambda delivers the event again.
    """
    failed = []
    for message in messages(event):
        try:
            for key in keys(message.body):
                ingest(key, message.tries)
        except Exception:  # one message's failure must not take the others with it
            traceback.print_exc(file=sys.stderr)
            failed.append(message.id)
    if "" in failed:
        raise Unavailable("the upload could not be ingested now; the log has the reason, deliver it again")
    return {"batchItemFailures": [{"itemIdentifier": message_id} for message_id in failed]}


def messages(event: dict[str, Any]) -> Iterator[Message]:
    """The queue's messages in `event`, or `event` as one message."""
    records = event.get("Records")
    if not isinstance(records, list) or not all("messageId" in record for record in records):
        yield Message("", event)
        return
    for record in records:
        tries = record.get("attributes", {}).get("ApproximateReceiveCount", "0")
        yield Message(record["messageId"], record["body"], int(tries))


def keys(body: Any) -> Iterator[str]:
    """Keys of the model files that an S3 or EventBridge event says were put.

    Raises:
        InvalidRequest: it is neither; a queue then moves it aside for a person to look at.
    """
    event = json.loads(body) if isinstance(body, str) else body
    if not isinstance(event, dict):
        raise InvalidRequest(f"not an event of object storage: {event!r:.200}")
    if event.get("Event") == "s3:TestEvent":  # S3 sends one when notifications are set up
        return
    if event.get("source") == "aws.s3":
        # EventBridge gives keys as they are; S3's own notifications encode them.
        created = event.get("detail-type") == "Object Created"
        found = [event["detail"]["object"]["key"]] if created else []
    elif isinstance(event.get("Records"), list):
        found = [
            unquote_plus(record["s3"]["object"]["key"])
            for record in event["Records"]
            if record.get("eventName", "").removeprefix("s3:").startswith("ObjectCreated:")
        ]
    else:
        raise InvalidRequest(f"not an event of object storage: its fields are {sorted(event)}")
    for key in found:
        if key.startswith(INCOMING) and key.endswith(SUFFIX):
            yield key

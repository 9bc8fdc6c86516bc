"""The events that AWS sends for a new object: S3's notification, and SQS's delivery of it.

https://docs.aws.amazon.com/AmazonS3/latest/userguide/notification-content-structure.html
https://docs.aws.amazon.com/lambda/latest/dg/with-sqs.html
"""

import hashlib
import json
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote_plus

from coldpress_ops.local.application import Trigger
from coldpress_ops.local.aws import ACCOUNT, REGION


@dataclass(frozen=True)
class Object:
    """A stored object; `modified` in nanoseconds since the epoch."""

    key: str
    size: int
    etag: str
    modified: int


def s3_event(bucket: str, created: Object, event_id: str) -> dict[str, Any]:
    """The notification for a new object."""
    seconds, nanoseconds = divmod(created.modified, 10**9)
    moment = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": REGION,
                "eventTime": f"{moment}.{nanoseconds // 10**6:03d}Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "local"},
                "requestParameters": {"sourceIPAddress": "127.0.0.1"},
                "responseElements": {"x-amz-request-id": event_id, "x-amz-id-2": event_id},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "local",
                    "bucket": {
                        "name": bucket,
                        "ownerIdentity": {"principalId": "local"},
                        "arn": f"arn:aws:s3:::{bucket}",
                    },
                    "object": {
                        "key": quote_plus(created.key, safe="/"),
                        "size": created.size,
                        "eTag": created.etag,
                        "sequencer": f"{created.modified:018X}",
                    },
                },
            }
        ]
    }


def sqs_event(trigger: Trigger, message_id: str, body: str, receives: int, sent: float) -> dict[str, Any]:
    """A batch of one message; `receives` counts this delivery; `sent`: seconds since the epoch."""
    return {
        "Records": [
            {
                "messageId": message_id,
                "receiptHandle": f"{message_id}-{receives}",
                "body": body,
                "attributes": {
                    "ApproximateReceiveCount": str(receives),
                    "SentTimestamp": str(int(sent * 1000)),
                    "SenderId": ACCOUNT,
                    "ApproximateFirstReceiveTimestamp": str(int(sent * 1000)),
                },
                "messageAttributes": {},
                "md5OfBody": hashlib.md5(body.encode(), usedforsecurity=False).hexdigest(),
                "eventSource": "aws:sqs",
                "eventSourceARN": trigger.queue,
                "awsRegion": REGION,
            }
        ]
    }


def reported_failure(answer: bytes) -> bool:
    """Whether a function's answer says that its one message failed.

    As on Lambda: no answer or an empty list means success; an answer that cannot be understood, or
    that names an unknown message, fails the whole batch.
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html
    """
    try:
        report = json.loads(answer)
    except ValueError:
        return True
    if not report:
        return False
    failures = report.get("batchItemFailures") if isinstance(report, dict) else answer
    return failures is not None and (not isinstance(failures, list) or bool(failures))

"""The events for a new object: whole values."""

import json

import pytest

from coldpress_ops.local.application import Trigger
from coldpress_ops.local.events import Object, reported_failure, s3_event, sqs_event

CREATED = Object("incoming/a/my model+ü.onnx", 183_311, "23298a-660d678ba5630-1", 1_768_244_638_123_456_789)
TRIGGER = Trigger(
    bucket="coldpress-dev",
    prefix="incoming/",
    suffix=".onnx",
    queue="arn:aws:sqs:us-east-1:123456789012:IngestQueue",
    function="IngestFunction",
    max_receives=3,
    visibility_seconds=30,
    reports_failures=True,
)


def test_notification() -> None:
    assert s3_event("coldpress-dev", CREATED, "event-1") == {
        "Records": [
            {
                "eventVersion": "2.1",
                "eventSource": "aws:s3",
                "awsRegion": "us-east-1",
                "eventTime": "2026-01-12T19:03:58.123Z",
                "eventName": "ObjectCreated:Put",
                "userIdentity": {"principalId": "local"},
                "requestParameters": {"sourceIPAddress": "127.0.0.1"},
                "responseElements": {"x-amz-request-id": "event-1", "x-amz-id-2": "event-1"},
                "s3": {
                    "s3SchemaVersion": "1.0",
                    "configurationId": "local",
                    "bucket": {
                        "name": "coldpress-dev",
                        "ownerIdentity": {"principalId": "local"},
                        "arn": "arn:aws:s3:::coldpress-dev",
                    },
                    "object": {
                        "key": "incoming/a/my+model%2B%C3%BC.onnx",
                        "size": 183_311,
                        "eTag": "23298a-660d678ba5630-1",
                        "sequencer": "00188A11213B567915",
                    },
                },
            }
        ]
    }


def test_delivery() -> None:
    assert sqs_event(TRIGGER, "message-1", '{"a": 1}', 2, 1_768_244_638.5) == {
        "Records": [
            {
                "messageId": "message-1",
                "receiptHandle": "message-1-2",
                "body": '{"a": 1}',
                "attributes": {
                    "ApproximateReceiveCount": "2",
                    "SentTimestamp": "1768244638500",
                    "SenderId": "123456789012",
                    "ApproximateFirstReceiveTimestamp": "1768244638500",
                },
                "messageAttributes": {},
                "md5OfBody": "42b7b4f2921788ea14dac5566e6f06d0",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:123456789012:IngestQueue",
                "awsRegion": "us-east-1",
            }
        ]
    }


@pytest.mark.parametrize(
    ("answer", "failed"),
    [
        (None, False),
        ({}, False),
        ({"batchItemFailures": []}, False),
        ({"batchItemFailures": None}, False),
        ({"other": 1}, False),
        ({"batchItemFailures": [{"itemIdentifier": "message-1"}]}, True),
        ({"batchItemFailures": [{"itemIdentifier": ""}]}, True),
        ({"batchItemFailures": "message-1"}, True),
        ("done", True),
        (3, True),
    ],
)
def test_reported_failures(answer: object, failed: bool) -> None:
    assert reported_failure(json.dumps(answer).encode()) is failed


def test_an_answer_that_is_no_json_is_a_failure() -> None:
    assert reported_failure(b"<html>") is True

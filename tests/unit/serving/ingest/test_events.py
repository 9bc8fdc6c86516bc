"""Storage events as AWS sends them -> keys; failures -> what Lambda reads."""

import json
from typing import Any

import pytest

from coldpress.errors import InvalidRequest, Unavailable
from coldpress.ingest.events import handle, keys

KEY = "incoming/digits/0190f0c0ffee/model.onnx"


def s3_record(key: str = KEY, name: str = "ObjectCreated:Put") -> dict[str, Any]:
    return {
        "eventVersion": "2.1",
        "eventSource": "aws:s3",
        "awsRegion": "eu-central-1",
        "eventTime": "2026-11-22T05:00:00.000Z",
        "eventName": name,
        "userIdentity": {"principalId": "AWS:AIDAEXAMPLE"},
        "requestParameters": {"sourceIPAddress": "203.0.113.7"},
        "responseElements": {"x-amz-request-id": "C3D13FE58DE4C810", "x-amz-id-2": "FMyUVURIY8"},
        "s3": {
            "s3SchemaVersion": "1.0",
            "configurationId": "uploads",
            "bucket": {
                "name": "coldpress-dev",
                "ownerIdentity": {"principalId": "A3NL1KOZZKExample"},
                "arn": "arn:aws:s3:::coldpress-dev",
            },
            "object": {
                "key": key,
                "size": 1024,
                "eTag": "0123456789abcdef0123456789abcdef",
                "sequencer": "0A1B2C3D4E5F678901",
            },
        },
    }


def s3_event(*records: dict[str, Any]) -> dict[str, Any]:
    return {"Records": list(records or [s3_record()])}


def eventbridge(key: str = KEY, detail_type: str = "Object Created") -> dict[str, Any]:
    return {
        "version": "0",
        "id": "17793124-05d4-b198-2fde-7ededc63b103",
        "detail-type": detail_type,
        "source": "aws.s3",
        "account": "123456789012",
        "time": "2026-11-22T05:00:00Z",
        "region": "eu-central-1",
        "resources": ["arn:aws:s3:::coldpress-dev"],
        "detail": {
            "version": "0",
            "bucket": {"name": "coldpress-dev"},
            "object": {"key": key, "size": 5, "etag": "b57f9512698f4b09e608f4f2a65852e5"},
            "request-id": "N4N7GDK58NMKJ12R",
            "requester": "123456789012",
            "reason": "PutObject",
        },
    }


def sqs(*bodies: Any) -> dict[str, Any]:
    return {
        "Records": [
            {
                "messageId": f"message-{i}",
                "receiptHandle": "AQEBwJnKyrHigUMZj6rYigCgxlaS3SLy0a",
                "body": body if isinstance(body, str) else json.dumps(body),
                "attributes": {"ApproximateReceiveCount": "1"},
                "messageAttributes": {},
                "md5OfBody": "e4e68fb7bd0e697a0ae8f1bb342846b3",
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:eu-central-1:123456789012:ingest",
                "awsRegion": "eu-central-1",
            }
            for i, body in enumerate(bodies)
        ]
    }


@pytest.mark.parametrize(
    ("encoded", "key"),
    [
        ("incoming/m/my+model+v1.onnx", "incoming/m/my model v1.onnx"),
        ("incoming/m/my%20model.onnx", "incoming/m/my model.onnx"),
        ("incoming/m/a%2Bb.onnx", "incoming/m/a+b.onnx"),
        ("incoming/m/100%2525.onnx", "incoming/m/100%25.onnx"),  # decoded once, not twice
        ("incoming/m/%C3%BC.onnx", "incoming/m/ü.onnx"),
    ],
)
def test_s3_keys_are_decoded_exactly_once(encoded: str, key: str) -> None:
    assert list(keys(s3_event(s3_record(encoded)))) == [key]


def test_eventbridge_keys_are_taken_as_they_are() -> None:
    assert list(keys(eventbridge("incoming/m/a+b%20c.onnx"))) == ["incoming/m/a+b%20c.onnx"]


@pytest.mark.parametrize("body", [s3_event(), eventbridge(), json.dumps(s3_event())])
def test_every_kind_of_event_names_the_key(body: Any) -> None:
    assert list(keys(body)) == [KEY]


@pytest.mark.parametrize(
    "body",
    [
        {
            "Service": "Amazon S3",
            "Event": "s3:TestEvent",
            "Time": "2026-11-22T05:00:00.000Z",
            "Bucket": "coldpress-dev",
            "RequestId": "5582815E1AEA5ADF",
            "HostId": "8cLeGAmw098X5cv4Zkwcmo8vvZa3eH3eKxsPzbB9wrR",
        },
        s3_event(s3_record(name="ObjectRemoved:Delete")),
        eventbridge(detail_type="Object Deleted"),
        s3_event(s3_record("incoming/digits/0190/upload.json")),
        s3_event(s3_record("models/digits/versions/1/model.onnx")),
        {"Records": []},
    ],
)
def test_events_that_are_no_upload_of_a_model_are_passed_over(body: dict[str, Any]) -> None:
    assert list(keys(body)) == []


@pytest.mark.parametrize("body", ["[]", "3", '{"hello": "world"}', "no JSON"])
def test_what_is_no_storage_event_is_an_error(body: str) -> None:
    with pytest.raises((InvalidRequest, json.JSONDecodeError)):
        list(keys(body))


def test_all_messages_of_a_batch_are_handled_and_only_failed_ones_come_again() -> None:
    seen = []

    def ingest(key: str, tries: int) -> None:
        seen.append(key)
        assert tries == 1
        if key.endswith("/1.onnx"):
            raise Unavailable("object storage did not answer")

    event = sqs(
        s3_event(s3_record("incoming/m/0.onnx")),
        s3_event(s3_record("incoming/m/1.onnx")),
        "no JSON",
        eventbridge("incoming/m/3.onnx"),
    )
    assert handle(event, ingest) == {
        "batchItemFailures": [{"itemIdentifier": "message-1"}, {"itemIdentifier": "message-2"}]
    }
    assert seen == ["incoming/m/0.onnx", "incoming/m/1.onnx", "incoming/m/3.onnx"]


def test_an_unexpected_exception_is_a_failure_too(capsys: pytest.CaptureFixture[str]) -> None:
    def ingest(key: str, _tries: int) -> None:
        raise ZeroDivisionError(key)

    assert handle(sqs(s3_event()), ingest) == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert f"ZeroDivisionError: {KEY}" in capsys.readouterr().err


@pytest.mark.parametrize("event", [s3_event(), eventbridge()])
def test_without_a_queue_a_failure_is_raised_so_that_lambda_tries_again(event: dict[str, Any]) -> None:
    seen: list[tuple[str, int]] = []
    assert handle(event, lambda *told: seen.append(told)) == {"batchItemFailures": []}
    assert seen == [(KEY, 0)]

    def fail(key: str, _tries: int) -> None:
        raise Unavailable(key)

    with pytest.raises(Unavailable, match="deliver it again"):
        handle(event, fail)

"""Bucket notification -> queue -> function: the triggers that a template declares."""

from collections.abc import Iterator, Mapping
from typing import Any

from coldpress_ops.local.application import Trigger
from coldpress_ops.local.cloudformation import Resolver, TemplateError, only, whole

CREATED = "s3:ObjectCreated:*"
# SQS's own default, in seconds.
DEFAULT_VISIBILITY = 30


def triggers(
    resolver: Resolver,
    functions: Mapping[str, Mapping[str, Any]],
    buckets: Mapping[str, Mapping[str, Any]],
    queues: Mapping[str, Mapping[str, Any]],
) -> Iterator[Trigger]:
    """Follows each notification of each bucket; all three maps are name -> resolved properties.

    Raises:
        TemplateError: a notification that no function receives, or of a kind that is not known.
    """
    readers = _readers(functions)
    arns = {str(resolver.value({"Fn::GetAtt": [name, "Arn"]}, name)): name for name in queues}
    for name, bucket in buckets.items():
        where = f"{name}.NotificationConfiguration"
        notifications = bucket.get("NotificationConfiguration") or {}
        only(notifications, {"QueueConfigurations"}, where)
        for notification in notifications.get("QueueConfigurations", ()):
            only(notification, {"Event", "Filter", "Queue"}, f"{where}.QueueConfigurations")
            if notification.get("Event") != CREATED:
                raise TemplateError(
                    f"{where}: the local server knows the event {CREATED}, not {notification.get('Event')}"
                )
            arn = str(notification.get("Queue"))
            if arn not in arns or arn not in readers:
                raise TemplateError(f"{where}: no function of this template reads the queue {arn}")
            function, reports_failures = readers[arn]
            filters = _filters(notification, where)
            max_receives, visibility = _queue(arns[arn], queues[arns[arn]])
            yield Trigger(
                bucket=str(bucket.get("BucketName", name)),
                prefix=filters.get("prefix", ""),
                suffix=filters.get("suffix", ""),
                queue=arn,
                function=function,
                max_receives=max_receives,
                visibility_seconds=visibility,
                reports_failures=reports_failures,
            )


def _readers(functions: Mapping[str, Mapping[str, Any]]) -> dict[str, tuple[str, bool]]:
    """Queue ARN -> the function that reads it, and whether that reports failures."""
    found: dict[str, tuple[str, bool]] = {}
    for name, properties in functions.items():
        for event, source in (properties.get("Events") or {}).items():
            if source.get("Type") != "SQS":
                continue
            where = f"{name}.Events.{event}"
            settings = source.get("Properties") or {}
            # One record at a time is a legal batch whatever BatchSize says.
            only(settings, {"BatchSize", "FunctionResponseTypes", "Queue", "ScalingConfig"}, where)
            arn = str(settings.get("Queue"))
            if arn in found:
                raise TemplateError(f"{where}: {found[arn][0]} reads the queue {arn} too")
            found[arn] = name, "ReportBatchItemFailures" in settings.get("FunctionResponseTypes", ())
    return found


def _filters(notification: Mapping[str, Any], where: str) -> dict[str, str]:
    rules = ((notification.get("Filter") or {}).get("S3Key") or {}).get("Rules", ())
    filters = {str(rule["Name"]).lower(): str(rule["Value"]) for rule in rules}
    only(filters, {"prefix", "suffix"}, f"{where}.QueueConfigurations.Filter")
    return filters


def _queue(name: str, properties: Mapping[str, Any]) -> tuple[int, int]:
    """How often one event is delivered, and the longest wait in between."""
    redrive = properties.get("RedrivePolicy") or {}
    if "maxReceiveCount" not in redrive:
        raise TemplateError(
            f"{name}.RedrivePolicy.maxReceiveCount is missing: a failing event would be retried for ever"
        )
    return (
        whole(redrive["maxReceiveCount"], f"{name}.RedrivePolicy.maxReceiveCount"),
        whole(properties.get("VisibilityTimeout", DEFAULT_VISIBILITY), f"{name}.VisibilityTimeout"),
    )

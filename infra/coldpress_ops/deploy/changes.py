"""A CloudFormation change set: what it would do, doing it, throwing it away."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from coldpress.errors import Unavailable

POLL_SECONDS = 5.0
PATIENCE_SECONDS = 3600
"""A stack update that takes longer hangs in something that CloudFormation itself will end."""
LAST_FAILURES = 5

OnEvent = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Change:
    """What happens to one resource."""

    action: str
    """`Add`, `Modify`, `Remove`, …"""
    resource: str
    kind: str
    """Such as `AWS::Lambda::Function`."""
    replaced: bool
    """Deleted and made anew: what it held is gone."""
    properties: tuple[str, ...]
    """The properties that differ."""


class DeploymentFailed(Unavailable):
    """CloudFormation did not do it, and went back; the message has its reasons."""


def read_changes(formation: Any, change_set: str) -> list[Change]:
    """What the change set (its ARN) would do: removals and replacements first."""
    pages = formation.get_paginator("describe_change_set").paginate(ChangeSetName=change_set)
    rows = [_change(row["ResourceChange"]) for page in pages for row in page["Changes"]]
    return sorted(rows, key=lambda row: (row.action != "Remove", not row.replaced, row.action, row.resource))


def _change(row: dict[str, Any]) -> Change:
    targets = (detail.get("Target", {}) for detail in row.get("Details", []))
    # A property that nests others is listed once for each.
    names = sorted({target.get("Name") or target.get("Attribute", "") for target in targets} - {""})
    return Change(
        action=row["Action"],
        resource=row["LogicalResourceId"],
        kind=row["ResourceType"],
        replaced=row.get("Replacement") == "True",
        properties=tuple(names),
    )


def discard(formation: Any, change_set: str, stack: str) -> None:
    """Throws the change set away, and the empty stack that CloudFormation made for a first one."""
    formation.delete_change_set(ChangeSetName=change_set)
    if status_of(formation, stack) == "REVIEW_IN_PROGRESS":
        formation.delete_stack(StackName=stack)


def execute(formation: Any, change_set: str, stack: str, tell: OnEvent) -> dict[str, str]:
    """Carries the change set out; the stack's outputs.

    Raises:
        DeploymentFailed: CloudFormation rolled back.
    """
    seen = event_ids(formation, stack)
    formation.execute_change_set(ChangeSetName=change_set)
    status = follow(formation, stack, seen, tell)
    if status not in ("CREATE_COMPLETE", "UPDATE_COMPLETE", "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS"):
        reasons = failures(formation, stack, seen)
        raise DeploymentFailed(
            f"{stack} is {status}: {'; '.join(reasons) or 'CloudFormation gives no reason'}"
        )
    return outputs_of(formation, stack)


def follow(formation: Any, stack: str, seen: set[str], tell: OnEvent) -> str:
    """Tells every event that is not in `seen` until the stack rests; its status then ("" when it is gone)."""
    end = time.monotonic() + PATIENCE_SECONDS
    told = set(seen)
    while True:
        status = status_of(formation, stack)
        for event in reversed(_events(formation, stack)):
            if event["EventId"] not in told:
                told.add(event["EventId"])
                tell(f"{event['ResourceStatus']:<28} {event['LogicalResourceId']}")
        if not status.endswith("_IN_PROGRESS") or status == "UPDATE_COMPLETE_CLEANUP_IN_PROGRESS":
            return status
        if time.monotonic() > end:
            raise Unavailable(f"{stack} is {status} after an hour; it goes on: see CloudFormation's console")
        time.sleep(POLL_SECONDS)


def status_of(formation: Any, stack: str) -> str:
    """A stack's status, or "" where there is none. `stack` may be its ARN, which outlives it."""
    found = _describe(formation, stack)
    status = found["StackStatus"] if found else ""
    return "" if status == "DELETE_COMPLETE" else str(status)


def outputs_of(formation: Any, stack: str) -> dict[str, str]:
    """A stack's outputs by name."""
    found = _describe(formation, stack) or {}
    return {row["OutputKey"]: row["OutputValue"] for row in found.get("Outputs", [])}


def parameters_of(formation: Any, stack: str) -> dict[str, str]:
    """A stack's parameters by name; none where there is no stack."""
    found = _describe(formation, stack) or {}
    return {row["ParameterKey"]: row.get("ParameterValue", "") for row in found.get("Parameters", [])}


def event_ids(formation: Any, stack: str) -> set[str]:
    """The events so far."""
    return {event["EventId"] for event in _events(formation, stack)}


def _describe(formation: Any, stack: str) -> dict[str, Any] | None:
    from botocore.exceptions import ClientError  # type: ignore[import-untyped, unused-ignore]

    try:
        found: dict[str, Any] = formation.describe_stacks(StackName=stack)["Stacks"][0]
    except ClientError as error:
        # CloudFormation's word for "no such stack"; there is no code of its own.
        if "does not exist" in str(error):
            return None
        raise
    return found


def _events(formation: Any, stack: str) -> list[dict[str, Any]]:
    from botocore.exceptions import ClientError  # type: ignore[import-untyped, unused-ignore]

    try:
        events: list[dict[str, Any]] = formation.describe_stack_events(StackName=stack)["StackEvents"]
    except ClientError as error:
        if "does not exist" in str(error):
            return []
        raise
    return events


def failures(formation: Any, stack: str, seen: set[str]) -> list[str]:
    """Why the stack failed, oldest first: the first one is the cause, the others were cancelled for it."""
    failed = [
        f"{event['LogicalResourceId']}: {event['ResourceStatusReason']}"
        for event in reversed(_events(formation, stack))
        if event["EventId"] not in seen
        and event["ResourceStatus"].endswith("_FAILED")
        and event.get("ResourceStatusReason")
    ]
    return failed[:LAST_FAILURES]

"""Change sets that no stand-in makes: replacements, many pages, rollbacks, stacks that will not go."""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber

from coldpress_ops.deploy import changes, removal
from coldpress_ops.deploy.changes import Change, DeploymentFailed
from coldpress_ops.deploy.stages import Stage

STACK = "coldpress-dev"
ARN = "arn:aws:cloudformation:eu-west-1:123456789012:stack/coldpress-dev/1"
CHANGE_SET = "arn:aws:cloudformation:eu-west-1:123456789012:changeSet/samcli-deploy1/2"
NOW = datetime(2026, 11, 14, tzinfo=UTC)


@pytest.fixture
def formation(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """A client whose answers are given beforehand, each of which must be asked for, and in that order."""
    monkeypatch.setattr(changes, "POLL_SECONDS", 0)
    client = boto3.client(
        "cloudformation", region_name="eu-west-1", aws_access_key_id="-", aws_secret_access_key="-"
    )
    with Stubber(client) as stubber:
        client.answer = stubber.add_response
        client.refuse = stubber.add_client_error
        yield client
        stubber.assert_no_pending_responses()


def resource(action: str, name: str, **more: Any) -> dict[str, Any]:
    change = {"Action": action, "LogicalResourceId": name, "ResourceType": "AWS::SQS::Queue", **more}
    return {"Type": "Resource", "ResourceChange": change}


def stack(status: str) -> dict[str, Any]:
    return {"Stacks": [{"StackName": STACK, "StackId": ARN, "CreationTime": NOW, "StackStatus": status}]}


def event(number: int, name: str, status: str, reason: str = "") -> dict[str, Any]:
    common = {"StackId": ARN, "StackName": STACK, "Timestamp": NOW, "EventId": str(number)}
    row = {"LogicalResourceId": name, "ResourceStatus": status}
    return common | row | ({"ResourceStatusReason": reason} if reason else {})


def test_removals_and_replacements_come_first_over_all_pages(formation: Any) -> None:
    details = [
        {"Target": {"Attribute": "Properties", "Name": "Timeout"}},
        {"Target": {"Attribute": "Properties", "Name": "Timeout"}},
        {"Target": {"Attribute": "Tags"}},
    ]
    first = [resource("Add", "A"), resource("Modify", "B", Replacement="False", Details=details)]
    second = [resource("Modify", "C", Replacement="True"), resource("Remove", "D")]
    asked = {"ChangeSetName": CHANGE_SET}
    formation.answer("describe_change_set", {"Changes": first, "NextToken": "more"}, asked)
    formation.answer("describe_change_set", {"Changes": second}, asked | {"NextToken": "more"})
    kind = "AWS::SQS::Queue"
    assert changes.read_changes(formation, CHANGE_SET) == [
        Change("Remove", "D", kind, False, ()),
        Change("Modify", "C", kind, True, ()),
        Change("Add", "A", kind, False, ()),
        Change("Modify", "B", kind, False, ("Tags", "Timeout")),
    ]


def test_a_rollback_fails_with_its_first_reasons(formation: Any) -> None:
    old = event(1, "Queue", "UPDATE_FAILED", "of another day")
    events = [
        event(4, STACK, "UPDATE_ROLLBACK_COMPLETE"),
        event(3, "Topic", "CREATE_FAILED", "Resource creation cancelled"),
        event(2, "Function", "UPDATE_FAILED", "Memory is not available"),
        old,
    ]
    formation.answer("describe_stack_events", {"StackEvents": [old]})
    formation.answer("execute_change_set", {}, {"ChangeSetName": CHANGE_SET})
    formation.answer("describe_stacks", stack("UPDATE_IN_PROGRESS"))
    formation.answer("describe_stack_events", {"StackEvents": events[2:]})
    formation.answer("describe_stacks", stack("UPDATE_ROLLBACK_COMPLETE"))
    formation.answer("describe_stack_events", {"StackEvents": events})
    formation.answer("describe_stack_events", {"StackEvents": events})
    told: list[str] = []
    with pytest.raises(DeploymentFailed) as failed:
        changes.execute(formation, CHANGE_SET, STACK, told.append)
    assert str(failed.value) == (
        "coldpress-dev is UPDATE_ROLLBACK_COMPLETE: Function: Memory is not available; "
        "Topic: Resource creation cancelled"
    )
    assert [line.split() for line in told] == [
        ["UPDATE_FAILED", "Function"],
        ["CREATE_FAILED", "Topic"],
        ["UPDATE_ROLLBACK_COMPLETE", STACK],
    ]


def test_a_discarded_change_leaves_an_existing_stack_alone(formation: Any) -> None:
    formation.answer("delete_change_set", {}, {"ChangeSetName": CHANGE_SET})
    formation.answer("describe_stacks", stack("UPDATE_COMPLETE"))
    changes.discard(formation, CHANGE_SET, STACK)


def test_a_stack_that_does_not_go_is_told(formation: Any) -> None:
    formation.answer("describe_stack_events", {"StackEvents": []})
    formation.answer("delete_stack", {}, {"StackName": ARN})
    formation.answer("describe_stacks", stack("DELETE_FAILED"))
    failed = {"StackEvents": [event(1, "Queue", "DELETE_FAILED", "in use")]}
    formation.answer("describe_stack_events", failed)
    formation.answer("describe_stack_events", failed)
    with pytest.raises(DeploymentFailed, match=r"^the stack is DELETE_FAILED: Queue: in use$"):
        removal.remove(formation, removal.Plan(ARN, 1, ()), lambda _: None)


def test_other_errors_than_a_missing_stack_pass(formation: Any) -> None:
    formation.refuse("describe_stacks", "AccessDenied", "not authorised")
    with pytest.raises(Exception, match="not authorised"):
        removal.plan(formation, Stage("dev", STACK, Path(), {}, "x86_64", "python3.13"))

"""Deleting a stage's stack, and saying what outlives it."""

from dataclasses import dataclass
from typing import Any

import yaml

from coldpress.errors import NotFound
from coldpress_ops.deploy import changes
from coldpress_ops.deploy.stages import PlainValues, Stage

_MORE = {
    "AWS::S3::Bucket": ", with all that is in it; a later deployment of this stage takes it as ExistingBucket"
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What deleting a stack would do."""

    stack: str
    """Its ARN: a stack's name means nothing any more once it is gone."""
    going: int
    """How many resources are deleted."""
    staying: tuple[str, ...]
    """What is kept, in words."""


def plan(formation: Any, stage: Stage) -> Plan:
    """What would go and what would stay.

    Raises:
        NotFound: no such stack in this account and region.
    """
    if not changes.status_of(formation, stage.stack):
        raise NotFound(f"there is no stack {stage.stack} in this account and region; nothing to delete")
    (stack,) = formation.describe_stacks(StackName=stage.stack)["Stacks"]
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=stage.stack)
    resources = [row for page in pages for row in page["StackResourceSummaries"]]
    retained = _retained(formation, stage.stack)
    staying = [
        f"{row['ResourceType']} {row['PhysicalResourceId']}{_MORE.get(row['ResourceType'], '')}"
        for row in resources
        if row["LogicalResourceId"] in retained
    ]
    return Plan(
        stack=stack["StackId"],
        going=len(resources) - len(staying),
        staying=(*staying, f"what sam deploy uploaded to its own bucket, below {stage.stack}/"),
    )


def remove(formation: Any, plan: Plan, tell: changes.OnEvent) -> None:
    """Deletes the stack and stays until it is gone.

    Raises:
        changes.DeploymentFailed: something could not be deleted.
    """
    seen = changes.event_ids(formation, plan.stack)
    formation.delete_stack(StackName=plan.stack)
    status = changes.follow(formation, plan.stack, seen, tell)
    if status:
        reasons = changes.failures(formation, plan.stack, seen)
        raise changes.DeploymentFailed(f"the stack is {status}: {'; '.join(reasons)}")


def _retained(formation: Any, stack: str) -> set[str]:
    """The resources that CloudFormation leaves alone, by what was deployed, not by the file here."""
    body = formation.get_template(StackName=stack, TemplateStage="Processed")["TemplateBody"]
    if isinstance(body, str):
        body = yaml.load(body, PlainValues)  # noqa: S506 - a safe loader of our own
    return {
        name
        for name, resource in body["Resources"].items()
        if resource.get("DeletionPolicy") in ("Retain", "RetainExceptOnCreate")
    }

"""Requests to S3 -> the rights they need, and policies -> the rights they give.

https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html
"""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit
from xml.etree import ElementTree

from .recorder import Call


class Right(NamedTuple):
    """An action on a resource: a need names both exactly, a grant may have wildcards."""

    action: str
    resource: str

    def covers(self, need: "Right") -> bool:
        return _matches(self.action, need.action) and _matches(self.resource, need.resource)


def needs(call: Call) -> Iterator[Right]:
    """What S3 asks a caller's policies for, before it answers `call`."""
    parts = urlsplit(call.target)
    bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
    query = parse_qs(parts.query, keep_blank_values=True)
    whole, one = f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/{key}"
    if call.method in ("GET", "HEAD"):
        yield Right("s3:GetObject", one) if key else Right("s3:ListBucket", whole)
        if key and call.status == 404:
            # Who may not list the bucket is told 403, whether the object exists or not.
            yield Right("s3:ListBucket", whole)
    elif call.method == "DELETE":
        yield Right("s3:AbortMultipartUpload" if "uploadId" in query else "s3:DeleteObject", one)
    elif call.method == "POST" and "delete" in query:
        for name in ElementTree.fromstring(call.body).iterfind(".//{*}Key"):  # noqa: S314 - our own request
            yield Right("s3:DeleteObject", f"arn:aws:s3:::{bucket}/{name.text}")
    else:
        yield Right("s3:PutObject", one)
        if "if-match" in call.headers:
            yield Right("s3:GetObject", one)


def batch_needs(operation: str, request: dict[str, Any], account: str) -> Iterator[Right]:
    """What AWS Batch asks for: https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbatch.html"""
    if operation == "terminatejob":
        yield Right("batch:TerminateJob", f"{account}:job/{request['jobId']}")
        return
    assert operation == "submitjob"
    for kind, key in (("job-queue", "jobQueue"), ("job-definition", "jobDefinition")):
        yield Right("batch:SubmitJob", f"{account}:{kind}/{request[key]}")


def grants(role: dict[str, Any]) -> Iterator[Right]:
    """Everything that a role's own policies allow, one right for each pair of action and resource."""
    properties = role["Properties"]
    assert "ManagedPolicyArns" not in properties
    for policy in properties["Policies"]:
        for statement in policy["PolicyDocument"]["Statement"]:
            assert statement.keys() == {"Sid", "Effect", "Action", "Resource"}, (
                "what else it says is not weighed"
            )
            assert statement["Effect"] == "Allow"
            for action in _list(statement["Action"]):
                for resource in _list(statement["Resource"]):
                    yield Right(action, resource)


def _list(value: Any) -> list[str]:
    return value if isinstance(value, list) else [value]


def _matches(pattern: str, text: str) -> bool:
    parts = (re.escape(part).replace(r"\?", ".") for part in pattern.split("*"))
    return re.fullmatch(".*".join(parts), text, re.DOTALL) is not None

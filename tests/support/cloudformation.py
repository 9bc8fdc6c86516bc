"""The template as CloudFormation sees it: expanded by the SAM transform, with every reference filled in."""

import copy
import functools
import json
import re
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from coldpress_ops.local.cloudformation import read
from coldpress_ops.local.conditions import holds

from . import toolbox

TRANSFORM_SECONDS = 60
TEMPLATE = Path(__file__).resolve().parents[2] / "template.yaml"
TRAINING = TEMPLATE.parent / "infra" / "training.yaml"
PSEUDO = {
    "AWS::AccountId": "123456789012",
    "AWS::Partition": "aws",
    "AWS::Region": "eu-central-1",
    "AWS::StackName": "coldpress",
    "AWS::URLSuffix": "amazonaws.com",
}
ABSENT = object()
NAMES = ("BucketName", "QueueName", "JobQueueName", "JobDefinitionName")


def source() -> dict[str, Any]:
    """The template as written."""
    return read(TEMPLATE)


def resources(**parameters: str) -> dict[str, dict[str, Any]]:
    """Every resource of a deployment with these parameters, by logical id, without any function in it."""
    return copy.deepcopy(_resources(tuple(sorted(parameters.items()))))


def training(**parameters: str) -> dict[str, dict[str, Any]]:
    """Every resource of infra/training.yaml, which needs no transform, with these parameters."""
    return _Filler(read(TRAINING), parameters).filled()


@functools.cache
def _resources(parameters: tuple[tuple[str, str], ...]) -> dict[str, dict[str, Any]]:
    document = source()
    for resource in document["Resources"].values():
        for place in ("CodeUri", "ContentUri"):
            if place in resource.get("Properties", {}):
                resource["Properties"][place] = "s3://code/archive.zip"
    python = toolbox.installed(Path(__file__).with_name("samtranslator.txt")) / "python"
    done = subprocess.run(
        [python, Path(__file__).with_name("samtransform.py")],
        env={"AWS_DEFAULT_REGION": PSEUDO["AWS::Region"]},
        input=json.dumps({"template": document, "parameters": dict(parameters)}),
        capture_output=True,
        text=True,
        timeout=TRANSFORM_SECONDS,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return _Filler(json.loads(done.stdout), dict(parameters)).filled()


class _Filler:
    def __init__(self, document: Mapping[str, Any], parameters: Mapping[str, str]) -> None:
        unknown = parameters.keys() - document["Parameters"].keys()
        assert not unknown, f"the template has no parameter {unknown}"
        given = document["Parameters"].items()
        defaults = {name: each["Default"] for name, each in given if "Default" in each}
        self._parameters = PSEUDO | defaults | dict(parameters)
        self._conditions = document["Conditions"]
        self._resources = document["Resources"]

    def filled(self) -> dict[str, dict[str, Any]]:
        return {
            name: self._value({key: value for key, value in resource.items() if key != "Condition"})
            for name, resource in self._resources.items()
            if "Condition" not in resource or self._holds(resource["Condition"])
        }

    def _holds(self, condition: str) -> bool:
        return holds(condition, self._conditions, self._value)

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [item for item in map(self._value, value) if item is not ABSENT]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            ((name, argument),) = value.items()
            match name:
                case "Ref":
                    return self._ref(argument)
                case "Fn::GetAtt":
                    return self._attribute(
                        *(argument.split(".", 1) if isinstance(argument, str) else argument)
                    )
                case "Fn::Sub":
                    return self._sub(argument)
                case "Fn::If":
                    return self._value(argument[1 if self._holds(argument[0]) else 2])
                case "Fn::Join":
                    joined = self._value(argument[1])
                    return joined if isinstance(joined, str) else argument[0].join(joined)
                case "Fn::Select":
                    return str(self._value(argument[1])).split(",")[argument[0]]
            assert not name.startswith("Fn::"), f"{name} is not known here"
        entries = {key: self._value(item) for key, item in value.items()}
        return {key: item for key, item in entries.items() if item is not ABSENT}

    def _ref(self, name: str) -> Any:
        if name == "AWS::NoValue":
            return ABSENT
        return self._parameters[name] if name in self._parameters else self._name(name)

    def _name(self, resource: str) -> str:
        properties = self._resources[resource].get("Properties", {})
        given = next((properties[key] for key in NAMES if key in properties), resource)
        return str(self._value(given))

    def _attribute(self, resource: str, attribute: str) -> str:
        name, kind = self._name(resource), self._resources[resource]["Type"]
        if attribute != "Arn":
            return name
        service = {
            "AWS::S3::Bucket": "arn:aws:s3:::{}",
            "AWS::Logs::LogGroup": "arn:aws:logs:::log-group:{}:*",
        }
        return service.get(kind, f"arn:aws:{kind.split('::')[1].lower()}:::{{}}").format(name)

    def _sub(self, argument: Any) -> str:
        text, given = argument if isinstance(argument, list) else (argument, {})

        def fill(match: re.Match[str]) -> str:
            name = match[1]
            if name in given:
                return str(self._value(given[name]))
            resource, dot, attribute = name.partition(".")
            return str(self._attribute(resource, attribute) if dot else self._ref(name))

        return re.sub(r"\$\{([^}!]+)\}", fill, text)

"""CloudFormation's YAML: short tags, and the few intrinsic functions that have a local value.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/intrinsic-function-reference.html
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from coldpress.errors import ColdpressError
from coldpress_ops.local import conditions
from coldpress_ops.local.aws import ACCOUNT, REGION, function_arn

PSEUDO_PARAMETERS = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackName": "coldpress",
    "AWS::URLSuffix": "amazonaws.com",
}
NO_VALUE = object()
"""`AWS::NoValue`: the property that has it is not there."""
_PLACEHOLDER = re.compile(r"\$\{(!?)\s*([^}]*?)\s*\}")


class TemplateError(ColdpressError):
    """The template cannot be read, or says something that the local server does not know."""


class _Loader(yaml.SafeLoader):
    """YAML with `!Ref`, `!Sub`, `!GetAtt` … read as their long forms."""


def _short_tag(loader: yaml.SafeLoader, suffix: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
        if suffix == "GetAtt":
            value = str(value).split(".", 1)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    elif isinstance(node, yaml.MappingNode):
        value = loader.construct_mapping(node, deep=True)
    return {suffix if suffix in ("Ref", "Condition") else f"Fn::{suffix}": value}


_Loader.add_multi_constructor("!", _short_tag)


def read(path: Path) -> dict[str, Any]:
    """A template as plain data. Raises `TemplateError`."""
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a SafeLoader
    except OSError as error:
        raise TemplateError(f"cannot read the template {path}: {error.strerror}") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise TemplateError(f"{path} is not valid YAML: {error}") from error
    if not isinstance(document, dict) or not isinstance(document.get("Resources"), dict):
        raise TemplateError(f"{path} has no Resources: it is no CloudFormation template")
    return document


class Resolver:
    """Gives references to parameters, pseudo parameters and resources their local values."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        """`document`: a template, as `read` returns it."""
        self._parameters: Mapping[str, Any] = document.get("Parameters") or {}
        self._resources: Mapping[str, Any] = document["Resources"]
        self._conditions: Mapping[str, Any] = document.get("Conditions") or {}

    def holds(self, condition: str, where: str) -> bool:
        """Whether a condition is true with the parameters' defaults. Raises `TemplateError`."""
        try:
            return conditions.holds(condition, self._conditions, lambda value: self.value(value, where))
        except conditions.UnknownCondition as error:
            raise TemplateError(f"{where}: {error}") from None

    def value(self, value: Any, where: str) -> Any:
        """`value` with every intrinsic function in it replaced.

        Args:
            where: `Resource.Property`, for the error message.

        Raises:
            TemplateError: a function or reference that has no local value.
        """
        if isinstance(value, list):
            items = (self.value(item, where) for item in value)
            return [item for item in items if item is not NO_VALUE]
        if not isinstance(value, dict):
            return value
        if len(value) == 1:
            name, argument = next(iter(value.items()))
            if name == "Ref":
                return self._ref(str(argument), where)
            if name == "Fn::GetAtt":
                return self._attribute(*map(str, argument), where=where)
            if name == "Fn::Sub":
                return self._sub(argument, where)
            if name == "Fn::If":
                condition, then, otherwise = argument
                return self.value(then if self.holds(condition, where) else otherwise, where)
            if str(name).startswith("Fn::") or name == "Condition":
                raise TemplateError(f"{where}: the local server does not know {name}")
        entries = {key: self.value(item, f"{where}.{key}") for key, item in value.items()}
        return {key: item for key, item in entries.items() if item is not NO_VALUE}

    def _ref(self, name: str, where: str) -> Any:
        if name == "AWS::NoValue":
            return NO_VALUE
        if name in self._parameters:
            if "Default" not in self._parameters[name]:
                raise TemplateError(f"{where}: the parameter {name} needs a Default to run locally")
            return self._parameters[name]["Default"]
        if name in PSEUDO_PARAMETERS:
            return PSEUDO_PARAMETERS[name]
        return self._attribute(name, "Ref", where=where)

    def _attribute(self, name: str, attribute: str, *, where: str) -> str:
        if name not in self._resources:
            raise TemplateError(f"{where}: there is no parameter or resource {name}")
        kind = self._resources[name].get("Type")
        match kind, attribute:
            case ("AWS::Serverless::HttpApi" | "AWS::Serverless::Function", "Ref"):
                return name
            case "AWS::Serverless::Function", "Arn":
                return function_arn(name)
            case "AWS::SQS::Queue", "Arn":
                return f"arn:aws:sqs:{REGION}:{ACCOUNT}:{self._name(name, 'QueueName')}"
            case "AWS::SQS::Queue", "QueueName":
                return self._name(name, "QueueName")
            case "AWS::S3::Bucket", "Ref":
                return self._name(name, "BucketName")
            case "AWS::S3::Bucket", "Arn":
                return f"arn:aws:s3:::{self._name(name, 'BucketName')}"
        what = f"!Ref {name}" if attribute == "Ref" else f"!GetAtt {name}.{attribute}"
        raise TemplateError(f"{where}: {what} ({kind}) has no local value")

    def _name(self, resource: str, key: str) -> str:
        properties = self._resources[resource].get("Properties") or {}
        return str(self.value(properties[key], f"{resource}.{key}")) if key in properties else resource

    def _sub(self, argument: Any, where: str) -> str:
        text, given = argument if isinstance(argument, list) else (argument, {})

        def fill(match: re.Match[str]) -> str:
            literal, name = match.groups()
            if literal:
                return f"${{{name}}}"
            if name in given:
                return str(self.value(given[name], where))
            resource, dot, attribute = name.partition(".")
            return self._attribute(resource, attribute, where=where) if dot else str(self._ref(name, where))

        return _PLACEHOLDER.sub(fill, text)


def only(properties: Mapping[str, Any], known: set[str], where: str) -> None:
    """Raises `TemplateError` when there is a property that is not known."""
    unknown = properties.keys() - known
    if unknown:
        raise TemplateError(f"{where}.{min(unknown)}: the local server does not know this property")


def whole(value: Any, where: str) -> int:
    """A whole number, as YAML or as text. Raises `TemplateError`."""
    try:
        return int(value)
    except (TypeError, ValueError):
        raise TemplateError(f"{where} is {value!r}; it must be a whole number") from None

"""The SAM transform, as a program of the stand-in's environment: a template in, CloudFormation out.

Reads {"template": YAML, "parameters": {…}, "artifacts": {logical id: {"Bucket": …, "Key": …}}} from stdin.
"""

import json
import sys
from typing import Any

from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse

PLACES = {"AWS::Serverless::Function": "CodeUri", "AWS::Serverless::LayerVersion": "ContentUri"}


class NoManagedPolicies:
    """The template names none by its short name, and there is no account to ask."""

    def load(self) -> dict[str, str]:
        return {}


def expand(order: dict[str, Any]) -> dict[str, Any]:
    template = yaml_parse(order["template"])
    for name, artifact in order["artifacts"].items():
        resource = template["Resources"][name]
        resource["Properties"][PLACES[resource["Type"]]] = artifact
    expanded: dict[str, Any] = transform(template, order["parameters"], NoManagedPolicies())
    return expanded


json.dump(expand(json.load(sys.stdin)), sys.stdout)

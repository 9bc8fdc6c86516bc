"""The template as a CloudFormation stack in the stand-in, and what the stand-in cannot do done for it."""

import hashlib
import json
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from .layers import PROJECT, PYTHON_VERSION

ARTIFACTS = "artifacts"
AUTHORIZER = "JwtAuthorizer"
NO_VALUE = {"Ref": "AWS::NoValue"}
METHOD_ANY = "x-amazon-apigateway-any-method"
EXPAND_SECONDS = 60
STACK_SECONDS = 90


@dataclass(frozen=True)
class Stack:
    """One stack. `clients` has boto3's clients by service; `python` is the stand-in's environment's."""

    name: str
    clients: Mapping[str, Any]
    python: Path
    ort_library: Path

    def deploy(self, archives: Mapping[str, bytes], **parameters: str) -> str:
        """Creates or updates the stack from zip files by logical id; CloudFormation's status of it."""
        return self.apply(self.template(archives, **parameters), **parameters)

    def apply(self, template: dict[str, Any], **parameters: str) -> str:
        """`deploy` with a template that is expanded already."""
        place = self._upload(json.dumps(template).encode())
        formation = self.clients["cloudformation"]
        wanted = {
            "StackName": self.name,
            "TemplateURL": f"{self.clients['s3'].meta.endpoint_url}/{place['Bucket']}/{place['Key']}",
            "Parameters": [{"ParameterKey": k, "ParameterValue": v} for k, v in parameters.items()],
            "Capabilities": ["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        }
        (formation.update_stack if self.exists() else formation.create_stack)(**wanted)
        return self.settled()

    def exists(self) -> bool:
        listed = self.clients["cloudformation"].list_stacks()["StackSummaries"]
        return any(s["StackName"] == self.name and s["StackStatus"] != "DELETE_COMPLETE" for s in listed)

    def delete(self) -> str:
        stack = self._described()["StackId"]
        self.clients["cloudformation"].delete_stack(StackName=self.name)
        return self.settled(stack)

    def settled(self, stack: str = "") -> str:
        """The status, once nothing is in progress any more."""
        deadline = time.monotonic() + STACK_SECONDS
        while time.monotonic() < deadline:
            status = self._described(stack)["StackStatus"]
            if not status.endswith("_IN_PROGRESS"):
                return str(status)
            time.sleep(0.1)
        raise RuntimeError(f"the stack is still {status} after {STACK_SECONDS} s")

    def outputs(self) -> dict[str, str]:
        return {o["OutputKey"]: o["OutputValue"] for o in self._described().get("Outputs", [])}

    def physical(self, logical: str) -> str:
        """The name that a resource has in the stand-in."""
        found = self.clients["cloudformation"].describe_stack_resource(
            StackName=self.name, LogicalResourceId=logical
        )
        return str(found["StackResourceDetail"]["PhysicalResourceId"])

    def why(self) -> str:
        """CloudFormation's own words on what failed."""
        events = self.clients["cloudformation"].describe_stack_events(StackName=self.name)["StackEvents"]
        return "\n".join(
            f"{e['LogicalResourceId']} {e['ResourceStatus']}: {e.get('ResourceStatusReason', '')}"
            for e in events
            if "FAILED" in e["ResourceStatus"]
        )

    def template(
        self, archives: Mapping[str, bytes], *, plain_http: bool = True, issuer: str = "", **parameters: str
    ) -> dict[str, Any]:
        """The project's template as plain CloudFormation that the stand-in runs.

        `plain_http`: without the bucket's policy, which refuses what comes without TLS: everything here.
        `issuer`: where tokens come from, in place of an https:// URL.
        """
        order = {
            "template": (PROJECT / "template.yaml").read_text(),
            "parameters": parameters,
            "artifacts": {name: self._upload(content) for name, content in archives.items()},
        }
        done = subprocess.run(
            [self.python, Path(__file__).with_name("expand.py")],
            env={"AWS_DEFAULT_REGION": self.clients["s3"].meta.region_name},
            input=json.dumps(order),
            capture_output=True,
            text=True,
            timeout=EXPAND_SECONDS,
            check=True,
        )
        template: dict[str, Any] = json.loads(done.stdout)
        _let_events_pass(template["Resources"])
        if plain_http:
            del template["Resources"]["BucketPolicy"]
        for name, resource in list(template["Resources"].items()):
            if resource["Type"] == "AWS::ApiGatewayV2::Api":
                template["Resources"] |= _routes(name, resource["Properties"], issuer)
            elif resource["Type"] == "AWS::Lambda::Function":
                resource["Properties"]["Runtime"] = f"python{PYTHON_VERSION}"
                # Layers are unpacked somewhere else than below /opt.
                variables = resource["Properties"]["Environment"]["Variables"]
                variables["COLDPRESS_ORT_LIBRARY"] = str(self.ort_library)
            elif resource["Type"] == "AWS::Lambda::LayerVersion":
                resource["Properties"]["CompatibleRuntimes"] = [f"python{PYTHON_VERSION}"]
        return template

    def _upload(self, content: bytes) -> dict[str, str]:
        # Named by its content, as `sam deploy` does: what did not change is not updated.
        place = {"Bucket": ARTIFACTS, "Key": hashlib.sha256(content).hexdigest()}
        try:
            self.clients["s3"].head_object(**place)
        except ClientError:
            self.clients["s3"].put_object(**place, Body=content)
        return place

    def _described(self, stack: str = "") -> dict[str, Any]:
        found = self.clients["cloudformation"].describe_stacks(StackName=stack or self.name)["Stacks"]
        return dict(found[0])


def _let_events_pass(resources: dict[str, Any]) -> None:
    """The queues' policies refuse what comes without TLS: here, S3's events."""
    for name, resource in list(resources.items()):
        if resource["Type"] == "AWS::SQS::QueuePolicy":
            policy = resource["Properties"]["PolicyDocument"]
            policy["Statement"] = [each for each in policy["Statement"] if each.get("Sid") != "TlsOnly"]
            if not policy["Statement"]:
                del resources[name]


def _routes(api: str, properties: dict[str, Any], issuer: str) -> dict[str, Any]:
    """Routes, integrations, an authorizer in place of an API's `Body`, which the stand-in does not read."""
    body = properties.pop("Body")
    properties |= {"Name": body["info"]["title"], "ProtocolType": "HTTP"}
    made: dict[str, Any] = {AUTHORIZER: _authorizer(api, body, issuer)}
    for path, methods in body["paths"].items():
        for method, operation in methods.items():
            integration = operation["x-amazon-apigateway-integration"]
            name = f"{api}{hashlib.sha256(f'{method} {path}'.encode()).hexdigest()[:8]}"
            made[f"{name}Integration"] = {
                "Type": "AWS::ApiGatewayV2::Integration",
                "Properties": {
                    "ApiId": {"Ref": api},
                    "IntegrationType": "AWS_PROXY",
                    "IntegrationUri": integration["uri"],
                    "PayloadFormatVersion": integration["payloadFormatVersion"],
                },
            }
            verb = "ANY" if method == METHOD_ANY else method.upper()
            made[f"{name}Route"] = {
                "Type": "AWS::ApiGatewayV2::Route",
                "Properties": {
                    "ApiId": {"Ref": api},
                    "RouteKey": f"{verb} {path}",
                    "Target": {"Fn::Sub": f"integrations/${{{name}Integration}}"},
                    "AuthorizationType": _chosen(operation.get("security"), {"jwt": "JWT"}, "NONE"),
                    "AuthorizerId": _chosen(
                        operation.get("security"),
                        {"jwt": {"Ref": AUTHORIZER}, "AWS_IAM": NO_VALUE},
                        NO_VALUE,
                    ),
                },
            }
    return made


def _authorizer(api: str, body: dict[str, Any], issuer: str) -> dict[str, Any]:
    """The scheme `jwt` as the resource that API Gateway would make of it."""
    condition, scheme, _ = body["components"]["securitySchemes"]["jwt"]["Fn::If"]
    told = scheme["x-amazon-apigateway-authorizer"]
    configuration = told["jwtConfiguration"]
    return {
        "Type": "AWS::ApiGatewayV2::Authorizer",
        "Condition": condition,
        "Properties": {
            "ApiId": {"Ref": api},
            "Name": "jwt",
            "AuthorizerType": told["type"].upper(),
            "IdentitySource": [told["identitySource"]],
            "JwtConfiguration": {
                "Issuer": issuer or configuration["issuer"],
                "Audience": configuration["audience"],
            },
        },
    }


def _chosen(security: Any, names: Mapping[str, Any], otherwise: Any) -> Any:
    """What a route's `security` comes to, with its conditions: of its schemes' names, or without any."""
    if isinstance(security, dict) and "Fn::If" in security:
        condition, *branches = security["Fn::If"]
        return {"Fn::If": [condition, *(_chosen(branch, names, otherwise) for branch in branches)]}
    if isinstance(security, list):
        ((name,),) = security
        return names.get(name, name)
    return otherwise

"""template.yaml -> the application it declares.

Both ways to run read the same file, so the local server cannot drift from the deployment. What is
not known here is an error that names the resource and the property, never silently left out.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from coldpress_ops.local.application import Application, Function, Route
from coldpress_ops.local.cloudformation import NO_VALUE, Resolver, TemplateError, only, read, whole
from coldpress_ops.local.triggers import triggers

# Types with no part in answering a request here: packaging, permissions, alarms.
DEPLOYMENT_ONLY = frozenset(
    {
        "AWS::CloudWatch::Alarm",
        "AWS::CloudWatch::Dashboard",
        "AWS::IAM::ManagedPolicy",
        "AWS::IAM::Role",
        "AWS::Logs::LogGroup",
        "AWS::S3::BucketPolicy",
        "AWS::SNS::Topic",
        "AWS::SQS::QueuePolicy",
        "AWS::Serverless::LayerVersion",
    }
)
# Per type: the properties that are read here, and those that change nothing on one machine.
READ = {
    "AWS::Serverless::Function": {
        *("CodeUri", "Environment", "Events", "Handler", "MemorySize", "Runtime", "Timeout"),
    },
    "AWS::Serverless::HttpApi": set[str](),
    "AWS::S3::Bucket": {"BucketName", "NotificationConfiguration"},
    "AWS::SQS::Queue": {"QueueName", "RedrivePolicy", "VisibilityTimeout"},
}
UNUSED = {
    "AWS::Serverless::Function": {
        *("Architectures", "AutoPublishAlias", "AutoPublishAliasAllProperties", "Description"),
        *("EphemeralStorage", "FunctionName", "KmsKeyArn", "Layers", "LoggingConfig", "Policies"),
        *("ProvisionedConcurrencyConfig", "ReservedConcurrentExecutions"),
        *("Role", "SnapStart", "Tags", "Tracing"),
    },
    "AWS::Serverless::HttpApi": {
        # Its own part is who is let in: here that is always the functions' business (COLDPRESS_AUTH).
        "DefinitionBody",
        *("AccessLogSettings", "DefaultRouteSettings", "Description", "Name", "RouteSettings", "StageName"),
        "Tags",
    },
    "AWS::S3::Bucket": {
        *("BucketEncryption", "LifecycleConfiguration", "OwnershipControls"),
        *("PublicAccessBlockConfiguration", "Tags", "VersioningConfiguration"),
    },
    "AWS::SQS::Queue": {
        *("KmsMasterKeyId", "MessageRetentionPeriod", "RedriveAllowPolicy", "SqsManagedSseEnabled", "Tags"),
    },
}
METHODS = ("ANY", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
# Lambda's own defaults.
DEFAULT_MEMORY_MB = 128
DEFAULT_TIMEOUT = 3


def load(path: Path) -> Application:
    """Reads a template; code folders are relative to it.

    Raises:
        TemplateError: it cannot be read, or has something that the local server does not know.
    """
    document = read(path)
    resolver = Resolver(document)
    resources = _resources(document, resolver)
    declared = resources["AWS::Serverless::Function"]
    return Application(
        functions={name: _function(name, path.parent, properties) for name, properties in declared.items()},
        routes=tuple(_routes(declared)),
        triggers=tuple(
            triggers(resolver, declared, resources["AWS::S3::Bucket"], resources["AWS::SQS::Queue"])
        ),
    )


def _resources(document: Mapping[str, Any], resolver: Resolver) -> dict[str, dict[str, dict[str, Any]]]:
    """Type -> name -> the properties that are read, resolved."""
    defaults = document.get("Globals") or {}
    found: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in READ}
    for name, resource in document["Resources"].items():
        kind = resource.get("Type")
        if "Condition" in resource and not resolver.holds(resource["Condition"], f"{name}.Condition"):
            continue
        if kind in DEPLOYMENT_ONLY:
            continue
        if kind not in READ:
            raise TemplateError(f"{name}: the local server does not know the type {kind}")
        short_kind = kind.rpartition("::")[2]
        properties = _merged(defaults.get(short_kind) or {}, resource.get("Properties") or {})
        only(properties, READ[kind] | UNUSED[kind], name)
        found[kind][name] = {
            key: found_value
            for key, value in properties.items()
            if key in READ[kind] and (found_value := resolver.value(value, f"{name}.{key}")) is not NO_VALUE
        }
    if len(found["AWS::Serverless::HttpApi"]) > 1:
        names = " and ".join(found["AWS::Serverless::HttpApi"])
        raise TemplateError(f"{names}: the local server has one address, so it serves one HttpApi")
    return found


def _merged(defaults: Mapping[str, Any], own: Mapping[str, Any]) -> dict[str, Any]:
    """SAM's rule for Globals: maps are merged, anything else is replaced."""
    merged = dict(defaults)
    for key, value in own.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _merged(merged[key], value) if both else value
    return merged


def _function(name: str, root: Path, properties: Mapping[str, Any]) -> Function:
    for key in ("CodeUri", "Handler", "Runtime"):
        if not isinstance(properties.get(key), str):
            raise TemplateError(f"{name}.{key} is missing or no text")
    if not properties["Runtime"].startswith("python3."):
        raise TemplateError(
            f"{name}.Runtime is {properties['Runtime']}; the local server runs Python functions only"
        )
    folder = (root / properties["CodeUri"]).resolve()
    if not folder.is_dir():
        raise TemplateError(f"{name}.CodeUri: there is no folder {folder}")
    variables = (properties.get("Environment") or {}).get("Variables") or {}
    return Function(
        name,
        folder,
        properties["Handler"],
        whole(properties.get("MemorySize", DEFAULT_MEMORY_MB), f"{name}.MemorySize"),
        whole(properties.get("Timeout", DEFAULT_TIMEOUT), f"{name}.Timeout"),
        {key: str(value) for key, value in variables.items()},
    )


def _routes(declared: Mapping[str, Mapping[str, Any]]) -> Iterator[Route]:
    seen: dict[str, str] = {}
    for name, properties in declared.items():
        for event, source in (properties.get("Events") or {}).items():
            where = f"{name}.Events.{event}"
            if source.get("Type") == "SQS":
                continue
            if source.get("Type") != "HttpApi":
                raise TemplateError(
                    f"{where}: the local server does not know events of type {source.get('Type')}"
                )
            route = _route(name, where, source.get("Properties") or {})
            if route.key in seen:
                raise TemplateError(f"{where}: {seen[route.key]} has the route {route.key} too")
            seen[route.key] = where
            yield route


def _route(function: str, where: str, properties: Mapping[str, Any]) -> Route:
    only(properties, {"ApiId", "Method", "Path", "PayloadFormatVersion"}, where)
    if str(properties.get("PayloadFormatVersion", "2.0")) != "2.0":
        raise TemplateError(f"{where}.PayloadFormatVersion: the local server sends format 2.0 only")
    method, path = str(properties.get("Method", "")).upper(), str(properties.get("Path", ""))
    if method not in METHODS:
        raise TemplateError(f"{where}.Method is {method!r}; it must be one of {', '.join(METHODS)}")
    segments = path.split("/")[1:]
    parameters = [segment for segment in segments if "{" in segment or "}" in segment]
    if (
        not path.startswith("/")
        or any(segment[0] != "{" or segment[-1] != "}" for segment in parameters)
        or any(segment.endswith("+}") for segment in segments[:-1])
    ):
        raise TemplateError(
            f"{where}.Path is {path!r}; it must start with '/', a parameter must be a whole segment, "
            "and {name+} must come last"
        )
    return Route(method, path, function)

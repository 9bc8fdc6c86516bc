"""What the template promises, read from what CloudFormation gets to see."""

import json
from pathlib import Path
from typing import Any

import pytest

from coldpress import uploads

from ...support import cloudformation

REPOSITORY = Path(__file__).parents[3]
KEY = "arn:aws:kms:eu-central-1:123456789012:key/k"
TOPIC = "arn:aws:sns:eu-central-1:123456789012:people"
OPEN = {
    ("/", "get"),
    ("/docs", "get"),
    ("/docs/{proxy+}", "get"),
    ("/openapi.json", "get"),
    ("/v2/health/live", "get"),
    ("/v2/health/ready", "get"),
}
"""Routes that no authorizer guards: health, and the documentation."""


def of_type(kind: str, **parameters: str) -> dict[str, dict[str, Any]]:
    """Logical id -> properties."""
    found = cloudformation.resources(**parameters)
    return {name: each.get("Properties", {}) for name, each in found.items() if each["Type"] == kind}


def operations(**parameters: str) -> dict[tuple[str, str], dict[str, Any]]:
    (api,) = of_type("AWS::ApiGatewayV2::Api", **parameters).values()
    return {(path, verb): op for path, verbs in api["Body"]["paths"].items() for verb, op in verbs.items()}


# ---------------------------------------------------------------------- parameters
def test_every_parameter_has_a_default_a_description_and_a_limit() -> None:
    limits = {"AllowedPattern", "AllowedValues", "MinValue"}
    for name, parameter in cloudformation.source()["Parameters"].items():
        assert "Default" in parameter, name
        assert parameter["Description"].endswith("."), name
        assert limits & parameter.keys() or parameter["Type"] == "CommaDelimitedList", name


def test_the_defaults_reserve_nothing_and_ask_for_keys() -> None:
    functions = of_type("AWS::Lambda::Function")
    for function in functions.values():
        assert function["Environment"]["Variables"]["COLDPRESS_AUTH"] == "keys"
        assert "ReservedConcurrentExecutions" not in function
        assert "KmsKeyArn" not in function
    (alias,) = of_type("AWS::Lambda::Alias").values()
    assert "ProvisionedConcurrencyConfig" not in alias
    assert functions["PredictFunction"]["SnapStart"] == {"ApplyOn": "None"}


def test_parameters_reach_the_predict_function() -> None:
    given = {"Preload": "a,b@c", "PredictMemory": "512", "ReservedConcurrency": "7", "Architecture": "arm64"}
    predict = of_type("AWS::Lambda::Function", **given)["PredictFunction"]
    assert predict["Environment"]["Variables"]["COLDPRESS_PRELOAD"] == "a,b@c"
    assert (predict["MemorySize"], predict["ReservedConcurrentExecutions"]) == ("512", "7")
    assert predict["Architectures"] == ["arm64"]
    layers = of_type("AWS::Lambda::LayerVersion", Architecture="arm64")
    assert {tuple(layer["CompatibleArchitectures"]) for layer in layers.values()} == {("arm64",)}


def test_python_finds_what_opens_onnx_runtime_from_the_start() -> None:
    predict = of_type("AWS::Lambda::Function")["PredictFunction"]
    first, *others = predict["Environment"]["Variables"]["PYTHONPATH"].split(":")
    assert (first, others) == ("/var/task", ["/opt/python", "/var/runtime"])
    folder = cloudformation.source()["Resources"]["PredictFunction"]["Properties"]["CodeUri"]
    assert (REPOSITORY / folder / "sitecustomize.py").is_file()


def test_two_ways_to_be_warm() -> None:
    on = of_type("AWS::Lambda::Function", SnapStart="on")["PredictFunction"]
    assert on["SnapStart"] == {"ApplyOn": "PublishedVersions"}
    (alias,) = of_type("AWS::Lambda::Alias", ProvisionedConcurrency="3").values()
    assert alias["ProvisionedConcurrencyConfig"] == {"ProvisionedConcurrentExecutions": "3"}
    assert "OneWayToBeWarm" in cloudformation.source()["Rules"]


# ---------------------------------------------------------------------- the gateway
def test_with_keys_the_gateway_lets_everything_through() -> None:
    (api,) = of_type("AWS::ApiGatewayV2::Api").values()
    assert api["Body"]["components"]["securitySchemes"] == {}
    assert all("security" not in operation for operation in operations().values())


@pytest.mark.parametrize(
    ("mode", "scheme"),
    [
        (
            {"AuthMode": "jwt", "JwtIssuer": "https://issuer", "JwtAudience": "a"},
            {
                "jwt": {
                    "type": "oauth2",
                    "x-amazon-apigateway-authorizer": {
                        "type": "jwt",
                        "identitySource": "$request.header.Authorization",
                        "jwtConfiguration": {"issuer": "https://issuer", "audience": "a"},
                    },
                }
            },
        ),
        (
            {"AuthMode": "iam"},
            {
                "AWS_IAM": {
                    "type": "apiKey",
                    "name": "Authorization",
                    "in": "header",
                    "x-amazon-apigateway-authtype": "awsSigv4",
                }
            },
        ),
    ],
)
def test_an_authorizer_guards_every_route_but_health_and_documentation(
    mode: dict[str, str], scheme: dict[str, Any]
) -> None:
    (api,) = of_type("AWS::ApiGatewayV2::Api", **mode).values()
    assert api["Body"]["components"]["securitySchemes"] == scheme
    guarded: list[dict[str, list[str]]] = [{name: []} for name in scheme]
    found = operations(**mode)
    assert {route for route, operation in found.items() if "security" not in operation} == OPEN
    assert all(operation.get("security", guarded) == guarded for operation in found.values())
    for function in of_type("AWS::Lambda::Function", **mode).values():
        assert function["Environment"]["Variables"]["COLDPRESS_AUTH"] == "gateway"


def test_every_route_has_a_function_behind_it() -> None:
    for route, operation in operations().items():
        assert "x-amazon-apigateway-integration" in operation, route


def test_the_gateway_throttles_and_logs_json() -> None:
    (stage,) = of_type("AWS::ApiGatewayV2::Stage").values()
    assert stage["DefaultRouteSettings"] == {"ThrottlingBurstLimit": 200, "ThrottlingRateLimit": 100}
    line = stage["AccessLogSettings"]["Format"]
    assert "Authorization" not in line
    numbers = {"$context.status": "200", "$context.responseLength": "1", "$context.responseLatency": "2"}
    for variable, value in numbers.items():
        line = line.replace(variable, value)
    assert json.loads(line)["status"] == 200


# ---------------------------------------------------------------------- functions and their roles
def test_each_function_has_its_own_role_and_log_group() -> None:
    functions = of_type("AWS::Lambda::Function")
    assert len({function["Role"] for function in functions.values()}) == len(functions) == 3
    assert len({function["LoggingConfig"]["LogGroup"] for function in functions.values()}) == 3


def test_roles_are_lambdas_alone_and_have_no_managed_policies() -> None:
    roles = of_type("AWS::IAM::Role")
    assert roles.keys() == {"ApiRole", "IngestRole", "PredictRole"}
    for role in roles.values():
        assert role.keys() == {"AssumeRolePolicyDocument", "Policies"}
        (trust,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert trust["Principal"] == {"Service": "lambda.amazonaws.com"}


def test_logs_end() -> None:
    groups = of_type("AWS::Logs::LogGroup", LogRetentionDays="7", KmsKeyArn=KEY)
    assert len(groups) == 4
    assert all(group == {"RetentionInDays": "7", "KmsKeyId": KEY} for group in groups.values())


# ---------------------------------------------------------------------- storage and queues
def test_the_bucket_is_private_versioned_and_encrypted() -> None:
    (bucket,) = of_type("AWS::S3::Bucket").values()
    assert set(bucket["PublicAccessBlockConfiguration"].values()) == {True}
    assert bucket["OwnershipControls"] == {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    assert bucket["VersioningConfiguration"] == {"Status": "Enabled"}
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule == {"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}
    kept = cloudformation.resources()["Bucket"]
    assert (kept["DeletionPolicy"], kept["UpdateReplacePolicy"]) == ("Retain", "Retain")


def test_nothing_that_is_served_ever_expires() -> None:
    (bucket,) = of_type("AWS::S3::Bucket").values()
    rules = bucket["LifecycleConfiguration"]["Rules"]
    assert all(rule["Status"] == "Enabled" for rule in rules)
    expiring = {rule["Prefix"]: rule["ExpirationInDays"] for rule in rules if "ExpirationInDays" in rule}
    assert expiring == {"incoming/": 30, "rejected/": 90, "batches/": 30, "probe/": 1}
    # An upload must outlast the event that asks for its ingestion, however often that is redriven.
    dead = of_type("AWS::SQS::Queue")["IngestDeadLetters"]
    assert expiring["incoming/"] * 86400 > dead["MessageRetentionPeriod"]
    unfinished = [rule for rule in rules if "AbortIncompleteMultipartUpload" in rule]
    assert [rule.keys() for rule in unfinished] == [{"Id", "Status", "AbortIncompleteMultipartUpload"}]


def test_queues_are_encrypted_and_only_this_one_redrives_to_the_dead_letters() -> None:
    queues = of_type("AWS::SQS::Queue")
    assert all(queue["SqsManagedSseEnabled"] is True for queue in queues.values())
    allowed = queues["IngestDeadLetters"]["RedriveAllowPolicy"]
    name = queues["IngestQueue"]["QueueName"]
    assert allowed == {
        "redrivePermission": "byQueue",
        "sourceQueueArns": [f"arn:aws:sqs:eu-central-1:123456789012:{name}"],
    }
    ingest = of_type("AWS::Lambda::Function")["IngestFunction"]
    assert queues["IngestQueue"]["VisibilityTimeout"] >= 6 * ingest["Timeout"]


def test_an_upload_is_called_given_up_when_the_queue_gives_it_up() -> None:
    queue = of_type("AWS::SQS::Queue")["IngestQueue"]
    assert queue["RedrivePolicy"]["maxReceiveCount"] == uploads.TRIES
    assert of_type("AWS::Lambda::Function")["IngestFunction"]["Timeout"] < uploads.ATTEMPT_SECONDS


def test_everything_refuses_plain_http() -> None:
    policies = of_type("AWS::SQS::QueuePolicy") | of_type("AWS::S3::BucketPolicy")
    assert len(policies) == 3
    for policy in policies.values():
        (tls,) = [each for each in policy["PolicyDocument"]["Statement"] if each["Sid"] == "TlsOnly"]
        assert (tls["Effect"], tls["Principal"]) == ("Deny", "*")
        assert tls["Action"] in ("s3:*", "sqs:*")
        assert tls["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_with_a_key_of_ones_own_everything_is_encrypted_with_it() -> None:
    (bucket,) = of_type("AWS::S3::Bucket", KmsKeyArn=KEY).values()
    (rule,) = bucket["BucketEncryption"]["ServerSideEncryptionConfiguration"]
    assert rule["ServerSideEncryptionByDefault"] == {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": KEY}
    for queue in of_type("AWS::SQS::Queue", KmsKeyArn=KEY).values():
        assert queue["KmsMasterKeyId"] == KEY
        assert "SqsManagedSseEnabled" not in queue
    for function in of_type("AWS::Lambda::Function", KmsKeyArn=KEY).values():
        assert function["KmsKeyArn"] == KEY


def test_an_existing_bucket_takes_the_place_of_a_new_one() -> None:
    found = cloudformation.resources(ExistingBucket="mine")
    assert not {"Bucket", "BucketPolicy"} & found.keys()
    rule = found["ExistingBucketUploads"]["Properties"]["EventPattern"]["detail"]
    assert rule == {"bucket": {"name": ["mine"]}, "object": {"key": [{"wildcard": "incoming/*.onnx"}]}}
    policy = found["IngestQueuePolicy"]["Properties"]["PolicyDocument"]
    assert [statement["Sid"] for statement in policy["Statement"]] == ["RuleMaySend", "TlsOnly"]
    for function in of_type("AWS::Lambda::Function", ExistingBucket="mine").values():
        assert function["Environment"]["Variables"]["COLDPRESS_STORE"] == "s3://mine"
    assert "coldpress-dev-123456789012" not in json.dumps(found)


# ---------------------------------------------------------------------- alarms
def test_every_function_has_alarms_for_errors_and_throttles() -> None:
    alarms = of_type("AWS::CloudWatch::Alarm")
    watched = {(a["MetricName"], d["Value"]) for a in alarms.values() for d in a["Dimensions"]}
    for function in of_type("AWS::Lambda::Function"):
        assert {("Errors", function), ("Throttles", function)} <= watched
    assert ("ApproximateNumberOfMessagesVisible", "coldpress-dev-ingest-dead-letters") in watched
    assert {("Duration", "PredictFunction"), ("Duration", "ApiFunction"), ("5xx", "HttpApi")} <= watched


def test_alarms_tell_the_topic_there_is() -> None:
    assert all("AlarmActions" not in alarm for alarm in of_type("AWS::CloudWatch::Alarm").values())
    told = of_type("AWS::CloudWatch::Alarm", AlarmTopicArn=TOPIC)
    assert all(alarm["AlarmActions"] == [TOPIC] for alarm in told.values())


def test_every_alarm_is_explained_in_the_operations_guide() -> None:
    guide = (cloudformation.TEMPLATE.parent / "docs" / "operations.md").read_text()
    alarms = of_type("AWS::CloudWatch::Alarm")
    assert alarms
    assert [name for name in alarms if f"`{name}`" not in guide] == []
    parameters = cloudformation.source()["Parameters"]
    assert [name for name in parameters if f"`{name}`" not in guide] == []


# ---------------------------------------------------------------------- checkov
def test_every_suppression_gives_its_reason() -> None:
    for name, resource in cloudformation.source()["Resources"].items():
        for skipped in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert skipped.keys() == {"id", "comment"}, name
            assert len(skipped["comment"]) > 20, name

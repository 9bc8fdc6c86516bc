"""What infra/training.yaml promises, and how the template nests it."""

import json
import re
from typing import Any

import pytest

from coldpress.jobs import ATTEMPTS, ENTRY_POINT, RETRY_EXIT

from ...support import cloudformation

GIVEN = {
    "Stage": "dev",
    "Store": "the-bucket",
    "TrainFunction": "arn:aws:lambda:eu-central-1:123456789012:function:train",
    "Vpc": "vpc-1",
    "Subnets": "subnet-1,subnet-2",
}
BATCH = {"Training": "batch", "TrainingVpc": "vpc-1", "TrainingSubnets": "subnet-1,subnet-2"}
TOPIC = "arn:aws:sns:eu-central-1:123456789012:people"


def of_type(kind: str, **more: str) -> dict[str, dict[str, Any]]:
    found = cloudformation.training(**GIVEN | more)
    return {name: each.get("Properties", {}) for name, each in found.items() if each["Type"] == kind}


def containers() -> list[dict[str, Any]]:
    jobs = of_type("AWS::Batch::JobDefinition")
    (nodes,) = jobs["NodesJob"]["NodeProperties"]["NodeRangeProperties"]
    return [jobs["Job"]["ContainerProperties"], nodes["Container"]]


# ---------------------------------------------------------------------- how it is nested
def test_training_is_off_unless_asked_for() -> None:
    off, on = cloudformation.resources(), cloudformation.resources(**BATCH)
    assert {name for name in on if name not in off} == {
        "TrainDeadLetters", "TrainDeadLettersAlarm", "TrainDeadLettersPolicy", "TrainErrorsAlarm",
        "TrainFunction", "TrainLogs", "TrainRole", "TrainThrottlesAlarm", "TrainingStack",
    }  # fmt: skip
    assert "EventBridgeConfiguration" not in off["Bucket"]["Properties"]["NotificationConfiguration"]
    told = on["Bucket"]["Properties"]["NotificationConfiguration"]["EventBridgeConfiguration"]
    assert told == {"EventBridgeEnabled": True}
    for found, training in ((off, ""), (on, "coldpress-dev")):
        assert (
            found["ApiFunction"]["Properties"]["Environment"]["Variables"]["COLDPRESS_TRAINING"] == training
        )
        assert "batch:" in json.dumps(found["ApiRole"]) or not training
    assert "batch:" not in json.dumps(off)


def test_the_nested_stack_gets_what_it_asks_for() -> None:
    document = cloudformation.read(cloudformation.TRAINING)
    given = cloudformation.resources(**BATCH)["TrainingStack"]["Properties"]["Parameters"]
    required = {name for name, each in document["Parameters"].items() if "Default" not in each}
    assert required <= given.keys() <= document["Parameters"].keys()
    assert (given["Subnets"], given["Store"]) == (
        "subnet-1,subnet-2",
        "coldpress-dev-123456789012-eu-central-1",
    )


def test_what_both_templates_say_is_the_same() -> None:
    here, there = cloudformation.read(cloudformation.TRAINING), cloudformation.source()
    same = ("KmsKeyArn", "LogRetentionDays", "AlarmTopicArn")
    names = {name: f"Training{name}" for name in ("Instances", "Vcpus", "Memory", "MaxVcpus", "ImageTag")}
    names |= {name: name for name in same} | {"TimeoutSeconds": "TrainingTimeout"}
    for own, parent in names.items():
        one, other = here["Parameters"][own], there["Parameters"][parent]
        assert {k: v for k, v in one.items() if k != "Description"} == {
            k: v for k, v in other.items() if k != "Description"
        }, own


def test_every_parameter_has_a_description_and_a_limit() -> None:
    limits = {"AllowedPattern", "AllowedValues", "MinValue"}
    for name, parameter in cloudformation.read(cloudformation.TRAINING)["Parameters"].items():
        assert parameter["Description"].endswith("."), name
        assert limits & parameter.keys() or not re.match("String$|Number$", parameter["Type"]), name


# ---------------------------------------------------------------------- machines and queues
def test_idle_costs_nothing() -> None:
    environments = of_type("AWS::Batch::ComputeEnvironment", MaxVcpus="7")
    assert {each["ComputeResources"]["MinvCpus"] for each in environments.values()} == {0}
    assert {each["ComputeResources"]["MaxvCpus"] for each in environments.values()} == {"7"}


def test_spot_first_then_on_demand_and_many_nodes_never_on_spot() -> None:
    environments = of_type("AWS::Batch::ComputeEnvironment")
    kinds = {name: each["ComputeResources"]["Type"] for name, each in environments.items()}
    assert kinds == {"Spot": "SPOT", "OnDemand": "EC2", "ManyNodes": "EC2"}
    orders = {
        queue["JobQueueName"]: [row["ComputeEnvironment"] for row in queue["ComputeEnvironmentOrder"]]
        for queue in of_type("AWS::Batch::JobQueue").values()
    }
    assert orders == {"coldpress-dev": ["Spot", "OnDemand"], "coldpress-dev-nodes": ["ManyNodes"]}
    assert all(queue["SchedulingPolicyArn"] for queue in of_type("AWS::Batch::JobQueue").values())
    # A placement group is in one zone.
    assert environments["ManyNodes"]["ComputeResources"]["Subnets"] == ["subnet-1"]


def test_a_container_does_not_get_the_machines_rights() -> None:
    (template,) = of_type("AWS::EC2::LaunchTemplate").values()
    options = template["LaunchTemplateData"]["MetadataOptions"]
    assert (options["HttpTokens"], options["HttpPutResponseHopLimit"]) == ("required", 1)
    (disk,) = template["LaunchTemplateData"]["BlockDeviceMappings"]
    assert disk["Ebs"]["Encrypted"] is True
    for environment in of_type("AWS::Batch::ComputeEnvironment").values():
        assert environment["ComputeResources"]["LaunchTemplate"]["LaunchTemplateId"] == "LaunchTemplate"


def test_machines_are_reached_by_each_other_only() -> None:
    (group,) = of_type("AWS::EC2::SecurityGroup").values()
    assert "SecurityGroupIngress" not in group
    assert [(rule["FromPort"], rule["ToPort"]) for rule in group["SecurityGroupEgress"]] == [(443, 443)]
    (inwards,) = of_type("AWS::EC2::SecurityGroupIngress").values()
    assert inwards["SourceSecurityGroupId"] == inwards["GroupId"] == "SecurityGroup"


# ---------------------------------------------------------------------- jobs
def test_what_runs_is_the_entry_point_of_jobs() -> None:
    for container in containers():
        assert container["Command"] == ["python", "-m", ENTRY_POINT]
        assert container["Privileged"] is False
        assert {row["Name"]: row["Value"] for row in container["Environment"]} == {
            "COLDPRESS_STORE": "s3://the-bucket",
            "AWS_REGION": "eu-central-1",
        }
        assert container["LogConfiguration"]["LogDriver"] == "awslogs"


def test_only_what_another_attempt_can_cure_is_tried_again() -> None:
    for definition in of_type("AWS::Batch::JobDefinition", TimeoutSeconds="99").values():
        assert definition["RetryStrategy"] == {
            "Attempts": ATTEMPTS,
            "EvaluateOnExit": [
                {"Action": "RETRY", "OnStatusReason": "Host EC2*"},
                {"Action": "RETRY", "OnExitCode": str(RETRY_EXIT)},
                {"Action": "EXIT", "OnReason": "*"},
            ],
        }
        assert definition["Timeout"] == {"AttemptDurationSeconds": "99"}


def test_images_never_change_and_logs_end() -> None:
    (repository,) = of_type("AWS::ECR::Repository").values()
    assert repository["ImageTagMutability"] == "IMMUTABLE"
    assert json.loads(repository["LifecyclePolicy"]["LifecyclePolicyText"])["rules"]
    (group,) = of_type("AWS::Logs::LogGroup", LogRetentionDays="7").values()
    assert group == {"RetentionInDays": "7"}


# ---------------------------------------------------------------------- events and the alarm
def test_the_train_function_is_told_of_jobs_orders_and_time() -> None:
    rules = of_type("AWS::Events::Rule")
    assert {rule["Targets"][0]["Arn"] for rule in rules.values()} == {GIVEN["TrainFunction"]}
    detail = rules["JobStates"]["EventPattern"]["detail"]
    assert set(detail["jobQueue"]) == {"coldpress-dev", "coldpress-dev-nodes"}
    order = rules["Orders"]["EventPattern"]["detail"]
    assert order == {
        "bucket": {"name": ["the-bucket"]},
        "object": {"key": [{"wildcard": "datasets/*/train.json"}]},
    }
    sources = {each["SourceArn"] for each in of_type("AWS::Lambda::Permission").values()}
    assert sources == {f"arn:aws:events:::{name}" for name in rules}


def test_the_alarm_watches_what_the_function_prints(tmp_path: Any) -> None:
    from coldpress.jobs.events import measure
    from coldpress.store import Store

    line = measure(Store(f"file://{tmp_path}"), 1_000_000.0)
    (alarm,) = of_type("AWS::CloudWatch::Alarm", AlarmTopicArn=TOPIC).values()
    (group,) = line["_aws"]["CloudWatchMetrics"]
    assert alarm["Namespace"] == group["Namespace"]
    assert alarm["MetricName"] in {metric["Name"] for metric in group["Metrics"]} & line.keys()
    assert alarm["Dimensions"] == [{"Name": name, "Value": line[name]} for name in group["Dimensions"][0]]
    assert alarm["AlarmActions"] == [TOPIC]


def test_every_alarm_is_explained_in_the_operations_guide() -> None:
    guide = (cloudformation.TEMPLATE.parent / "docs" / "operations.md").read_text()
    alarms = set(of_type("AWS::CloudWatch::Alarm"))
    alarms |= {
        n for n, each in cloudformation.resources(**BATCH).items() if each["Type"] == "AWS::CloudWatch::Alarm"
    }
    assert [name for name in alarms if f"`{name}`" not in guide] == []


@pytest.mark.parametrize("parameter", ["KmsKeyArn"])
def test_with_a_key_of_ones_own(parameter: str) -> None:
    key = "arn:aws:kms:eu-central-1:123456789012:key/k"
    (repository,) = of_type("AWS::ECR::Repository", **{parameter: key}).values()
    assert repository["EncryptionConfiguration"] == {"EncryptionType": "KMS", "KmsKey": key}
    (group,) = of_type("AWS::Logs::LogGroup", **{parameter: key}).values()
    assert group["KmsKeyId"] == key


def test_every_suppression_gives_its_reason() -> None:
    for name, resource in cloudformation.read(cloudformation.TRAINING)["Resources"].items():
        for skipped in resource.get("Metadata", {}).get("checkov", {}).get("skip", []):
            assert len(skipped["comment"]) > 20, name

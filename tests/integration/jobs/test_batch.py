"""`coldpress train --on batch` as its user types it: on stand-ins of CloudFormation, S3 and AWS Batch."""

import json
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest
from moto.server import ThreadedMotoServer
from typer.testing import CliRunner

from coldpress import runs
from coldpress.store import Store
from coldpress_ops.cli import app

from ...support import batch

REGION = "eu-central-1"
JOB = {
    "ContainerProperties": {"Command": ["python", "-c", "print('a job')"], "Environment": []},
    "RetryStrategy": {"Attempts": 1, "EvaluateOnExit": []},
}


@pytest.fixture
def events() -> list[dict[str, Any]]:
    return []


@pytest.fixture
def queue(events: list[dict[str, Any]]) -> Iterator[batch.Batch]:
    with batch.running({"coldpress-dev": JOB}, {}, events.append) as server:
        yield server


@pytest.fixture
def cloud(queue: batch.Batch, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """An account whose stacks are made by the test; its client of CloudFormation."""
    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0)
    server.start()
    endpoint = "http://{}:{}".format(*server.get_host_and_port())
    for name, value in {
        "AWS_ACCESS_KEY_ID": "a", "AWS_SECRET_ACCESS_KEY": "b", "AWS_REGION": REGION,
        "AWS_DEFAULT_REGION": REGION, "AWS_ENDPOINT_URL": endpoint, "AWS_ENDPOINT_URL_BATCH": queue.url,
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    # moto's accounts outlive its servers.
    urllib.request.urlopen(
        urllib.request.Request(f"{endpoint}/moto-api/reset", method="POST"), timeout=30
    ).close()
    place = {"LocationConstraint": REGION}
    boto3.client("s3").create_bucket(Bucket="the-bucket", CreateBucketConfiguration=place)
    yield boto3.client("cloudformation")
    server.stop()


def deployed(cloud: Any, **outputs: str) -> None:
    template = {
        "Resources": {"Topic": {"Type": "AWS::SNS::Topic"}},
        "Outputs": {name: {"Value": value} for name, value in outputs.items()},
    }
    cloud.create_stack(StackName="coldpress-dev", TemplateBody=json.dumps(template))


def train(*options: str) -> Any:
    return CliRunner().invoke(app, ["train", "text-classifier", "--on", "batch", *options])


def test_a_run_is_submitted_with_its_data(
    cloud: Any, queue: batch.Batch, events: list[dict[str, Any]], tmp_path: Path
) -> None:
    deployed(cloud, BucketName="the-bucket", Url="https://api", TrainingQueue="coldpress-dev")
    data = tmp_path / "reviews.csv"
    data.write_text("text,label\n")
    done = train("--data", str(data), "--set", "epochs=3", "--publish", "mood", "--expected-minutes", "40")
    assert done.exit_code == 0, done.stderr
    run_id = done.stdout.strip()
    assert done.stderr == f"follow it with: coldpress runs logs -f {run_id} --url https://api\n"
    store = Store("s3://the-bucket")
    run = runs.read(store, run_id)
    assert (run.settings, run.publish, run.minutes, run.on) == ({"epochs": "3"}, "mood", 40, "batch")
    assert store.get(run.data).data == b"text,label\n"
    (job,) = queue.jobs.values()
    assert (run.job, job.request["jobName"]) == (job.id, run_id)
    assert job.request["schedulingPriorityOverride"] == 9959
    assert job.over.wait(60)
    assert [event["detail"]["status"] for event in events][-2:] == ["RUNNING", "SUCCEEDED"]


def test_a_stack_without_training(cloud: Any, queue: batch.Batch) -> None:
    deployed(cloud, BucketName="the-bucket", Url="https://api")
    done = train()
    assert done.exit_code == 1
    assert "coldpress-dev has no training stack" in done.stderr
    assert "--set Training=batch" in done.stderr
    assert queue.jobs == {}


def test_no_such_stage(cloud: Any, queue: batch.Batch) -> None:
    del cloud
    done = train("--stage", "prod")
    assert done.exit_code == 1
    assert "coldpress-prod" in done.stderr
    assert queue.jobs == {}

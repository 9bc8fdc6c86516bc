"""Training runs over HTTP: started, listed, followed and stopped."""

from collections.abc import Iterator
from typing import Any

import boto3
import pytest
from botocore.stub import ANY, Stubber

from coldpress import runs
from coldpress.jobs import batch
from coldpress.runs import News

ORDER = {
    "recipe": "text-classifier",
    "settings": {"epochs": "3"},
    "data": "datasets/d/1/d.csv",
    "minutes": 30,
}


@pytest.fixture
def aws() -> Iterator[Stubber]:
    client = boto3.client(
        "batch", region_name="eu-central-1", aws_access_key_id="a", aws_secret_access_key="b"
    )
    with Stubber(client) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def training(make_api: Any, aws: Stubber, monkeypatch: pytest.MonkeyPatch) -> Any:
    """The control plane of a deployment with a training stack."""
    monkeypatch.setattr(batch, "_client", lambda: aws.client)
    made = make_api(training="coldpress-dev")
    import control.runs

    control.runs._client.cache_clear()
    return made


def submitted(stubber: Stubber, **expected: Any) -> None:
    common = {"jobQueue": "coldpress-dev", "jobDefinition": "coldpress-dev", "shareIdentifier": "default"}
    common |= {"jobName": ANY, "schedulingPriorityOverride": 9969, "containerOverrides": ANY}
    stubber.add_response("submit_job", {"jobName": "n", "jobId": "job-1"}, common | expected)


def test_start_follow_and_stop_a_run(training: Any, aws: Stubber) -> None:
    submitted(aws)
    answer = training.call("POST", "/runs", ORDER)
    assert answer.status == 201
    run = answer.json
    assert {key: run[key] for key in ORDER} == ORDER
    assert (run["state"], run["job"], run["on"], run["publish"]) == ("queued", "job-1", "batch", "")
    path = f"/runs/{run['id']}"
    assert training.call("GET", path, key="reader").json == run
    assert training.call("GET", "/runs", key="reader").json == {"runs": [run]}

    store = training.store
    runs.tell(store, run["id"], News(runs.RUNNING, runs.now(), job="job-1", attempts=1))
    store.create(runs.piece_key(runs.read(store, run["id"]), 1, 0, 0), b"epoch 1\n")
    part = training.call("GET", f"{path}/logs").json
    assert part == {"text": "epoch 1\n", "next": "001-00-000000.txt"}

    aws.add_response("terminate_job", {}, {"jobId": "job-1", "reason": "stopped on request"})
    stopping = training.call("DELETE", path)
    assert (stopping.status, stopping.json["state"], stopping.json["stop"]) == (200, "running", True)
    runs.tell(store, run["id"], News(runs.FAILED, runs.now(), job="job-1"))
    again = training.call("DELETE", path)
    assert (again.status, again.json) == (409, {"error": f"{run['id']} is over already: it has stopped"})


def test_many_nodes_have_a_queue_and_a_definition_of_their_own(training: Any, aws: Stubber) -> None:
    aws.add_response("submit_job", {"jobName": "n", "jobId": "job-2"}, {
        "jobName": ANY, "jobQueue": "coldpress-dev-nodes", "jobDefinition": "coldpress-dev-nodes",
        "shareIdentifier": "team7", "schedulingPriorityOverride": 8559,
        "nodeOverrides": {"numNodes": 4, "nodePropertyOverrides": [{
            "targetNodes": "0:",
            "containerOverrides": {
                "environment": ANY, "resourceRequirements": [{"type": "GPU", "value": "8"}],
            },
        }]},
    })  # fmt: skip
    order = {"recipe": "text-transformer", "nodes": 4, "gpus": 8, "share": "team7"}
    assert training.call("POST", "/runs", order).json["job"] == "job-2"


def test_the_job_gets_its_run_and_no_credentials(training: Any, aws: Stubber) -> None:
    sent: list[Any] = []
    aws.client.meta.events.register(
        "provide-client-params.batch.SubmitJob", lambda params, **_: sent.append(params)
    )
    submitted(aws)
    run = training.call("POST", "/runs", ORDER).json
    assert sent[0]["jobName"] == run["id"]
    assert sent[0]["containerOverrides"] == {"environment": [{"name": "COLDPRESS_RUN", "value": run["id"]}]}


def test_what_batch_does_not_take_is_recorded(training: Any, aws: Stubber) -> None:
    aws.add_client_error("submit_job", "ClientException", "JobQueue coldpress-dev not found")
    answer = training.call("POST", "/runs", ORDER)
    assert answer.status == 503
    assert "JobQueue coldpress-dev not found" in answer.json["error"]
    (run,) = training.call("GET", "/runs").json["runs"]
    assert run["state"] == "failed"
    assert run["reason"].startswith("could not be submitted: AWS Batch: ")
    assert training.call("DELETE", f"/runs/{run['id']}").status == 409


def test_a_run_that_has_no_job_yet_is_stopped_without_one(training: Any) -> None:
    run = runs.create(training.store, runs.order("r"))
    assert training.call("DELETE", f"/runs/{run.id}").json["state"] == "stopped"


def test_without_a_training_stack(api: Any) -> None:
    answer = api.call("POST", "/runs", ORDER)
    assert answer.status == 409
    assert "Training=batch" in answer.json["error"]
    assert "--on local" in answer.json["error"]
    assert api.call("GET", "/runs").json == {"runs": []}
    # A run of this machine is seen, and can be stopped: its own process looks for that.
    run = runs.create(api.store, runs.order("r", on="local"))
    assert [row["id"] for row in api.call("GET", "/runs").json["runs"]] == [run.id]
    assert api.call("DELETE", f"/runs/{run.id}").json["stop"] is True


def test_a_folder_that_is_no_run_is_passed_over(api: Any) -> None:
    api.store.create("runs/by-hand/notes.txt", b"")
    assert api.call("GET", "/runs").json == {"runs": []}


@pytest.mark.parametrize(
    ("order", "words"),
    [
        ({"recipe": "A b"}, "cannot name a recipe"),
        ({"recipe": "r", "nodes": 65}, "nodes should be less than or equal to 64, got 65"),
        ({"recipe": "r", "data": "models/m"}, "is no data"),
        ({"recipe": "r", "publish": "No"}, "cannot name a model"),
        ({"recipe": "r", "share": "a b"}, "share"),
        ({"recipe": "r", "image": "evil"}, "image is not known here"),
        ({"recipe": "r", "publish": ""}, "publish"),
        ({"recipe": "r", "minutes": "3"}, "minutes should be a valid integer, got '3'"),
        ({"recipe": "r", "minutes": 3.5}, "minutes should be a valid integer, got 3.5"),
    ],
)
def test_orders_that_cannot_be(training: Any, order: dict[str, Any], words: str) -> None:
    answer = training.call("POST", "/runs", order)
    assert answer.status == 400
    assert words in answer.json["error"]
    assert list(training.store.walk("runs")) == []


@pytest.mark.parametrize(
    "path", ["/runs/nothing", "/runs/nothing/logs", "/runs/..", "/runs/%2e%2e%2fkeys", "/runs/" + "x" * 300]
)
def test_no_such_run(api: Any, path: str) -> None:
    runs.create(api.store, runs.order("text-classifier"))
    assert api.call("GET", path).status == 404

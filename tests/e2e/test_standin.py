"""The template's life as a stack: created, updated under load, rolled back, deleted."""

import threading
import time

import botocore.exceptions
import httpx
import pytest

from . import onnx_models
from .targets.layers import PROJECT, archive

pytestmark = pytest.mark.target("standin")

NEW_CODE = """
_answer = handler


def handler(event, context):
    reply = _answer(event, context)
    reply["headers"]["x-code"] = "new"
    return reply
"""


@pytest.fixture(scope="module")
def own(stood_in, tmp_path_factory):
    """A deployment with a model, and its stack, apart from the suite's."""
    path = tmp_path_factory.mktemp("model") / "model.onnx"
    path.write_bytes(onnx_models.linear().SerializeToString())
    with stood_in.deployed("own") as (deployment, stack):
        assert deployment.publish("steady", path).returncode == 0
        yield deployment, stack


def memory(stack) -> int:
    name = stack.physical("PredictFunction")
    return stack.clients["lambda"].get_function_configuration(FunctionName=name)["MemorySize"]


def predict(deployment):
    return deployment.http.post("/models/steady/predict", json=[1, 2, 3])


def test_an_update_while_requests_flow(stood_in, own):
    deployment, stack = own
    answers, stop = [], threading.Event()

    def ask():
        while not stop.is_set():
            answers.append(predict(deployment))

    source = (PROJECT / "functions" / "predict" / "app.py").read_text() + NEW_CODE
    archives = dict(stood_in.archives)
    archives["PredictFunction"] = archive(PROJECT / "functions" / "predict", {"app.py": source})
    asking = threading.Thread(target=ask)
    asking.start()
    try:
        assert "x-code" not in predict(deployment).headers
        assert stack.deploy(archives, Stage="own", PredictMemory="2048") == "UPDATE_COMPLETE"
        assert predict(deployment).headers["x-code"] == "new"
    finally:
        stop.set()
        asking.join()
    assert memory(stack) == 2048
    assert len(answers) > 1
    for answer in answers:
        assert answer.status_code == 200, answer.text
        assert answer.json() == {"predictions": [{"y": [2.0, 4.0, 6.0]}]}


def test_an_update_that_fails_is_rolled_back(stood_in, own):
    deployment, stack = own
    before = memory(stack)
    template = stack.template(stood_in.archives, Stage="own")
    template["Resources"]["PredictFunction"]["Properties"]["MemorySize"] = 4096
    template["Resources"]["ApiFunction"]["Properties"]["Code"]["S3Key"] = "missing"
    assert stack.apply(template, Stage="own") == "UPDATE_ROLLBACK_COMPLETE"
    assert "missing" in stack.why() or "ApiFunction" in stack.why()
    assert memory(stack) == before
    assert predict(deployment).json() == {"predictions": [{"y": [2.0, 4.0, 6.0]}]}
    assert [model["name"] for model in deployment.http.get("/models").json()["models"]] == ["steady"]


def test_too_little_memory_is_refused_before_anything_changes(stood_in, own):
    _, stack = own
    before = memory(stack)
    with pytest.raises(botocore.exceptions.ClientError, match="PredictMemory"):
        stack.deploy(stood_in.archives, Stage="own", PredictMemory="128")
    assert memory(stack) == before


def test_deleting_the_stack_keeps_the_bucket(stood_in, saved):
    with stood_in.deployed("brief") as (deployment, stack):
        assert deployment.publish("kept", saved(onnx_models.linear())).returncode == 0
        function = stack.physical("PredictFunction")
        assert stack.delete() == "DELETE_COMPLETE"
        assert deployment.http.get("/v2/health/live").status_code == 404
        with pytest.raises(botocore.exceptions.ClientError, match="ResourceNotFoundException"):
            stack.clients["lambda"].get_function_configuration(FunctionName=function)
        assert "models/kept/versions/1/manifest.json" in deployment.objects.under("models/kept")


def test_the_bucket_refuses_requests_without_tls(stood_in):
    """With the policy that `Stack.template` takes out for the other tests' sake."""
    stack = stood_in.stack("coldpress-strict")
    template = stack.template(stood_in.archives, Stage="strict", plain_http=False)
    assert stack.apply(template, Stage="strict") == "CREATE_COMPLETE", stack.why()
    answer = httpx.get(f"{stood_in.api_url(stack)}/models", headers={"x-api-key": "cp_any"}, timeout=60)
    assert answer.status_code == 503
    assert "explicit deny in a resource-based policy" in answer.json()["error"]


def test_an_upload_that_was_given_up_is_redriven(stood_in, own, saved):
    """The right to store versions is gone; three tries; the right is given back; the event is sent again."""
    deployment, stack = own
    template = stack.template(stood_in.archives, Stage="own")
    (policy,) = template["Resources"]["IngestRole"]["Properties"]["Policies"]
    statements = policy["PolicyDocument"]["Statement"]
    (register,) = (
        each for each in statements if isinstance(each, dict) and each.get("Sid") == "RegisterVersions"
    )
    places = list(register["Resource"])
    register["Resource"] = [each for each in places if "versions" not in each["Fn::Sub"][0]]
    # Half an hour in the template, which is six times what a try may take.
    template["Resources"]["IngestQueue"]["Properties"]["VisibilityTimeout"] = 4
    assert stack.apply(template, Stage="own") == "UPDATE_COMPLETE", stack.why()

    failed = deployment.publish("steady", saved(onnx_models.linear(5.0)), "--timeout", "120")
    assert failed.returncode == 1
    assert "error: given up after 3 tries: " in failed.stderr
    dead = stack.outputs()["DeadLettersUrl"]
    sqs = stack.clients["sqs"]
    letters = []
    deadline = time.monotonic() + 60
    while not letters and time.monotonic() < deadline:
        letters = sqs.receive_message(QueueUrl=dead, WaitTimeSeconds=1).get("Messages", [])
    (letter,) = letters
    assert "incoming/steady/" in letter["Body"]
    assert predict(deployment).json() == {"predictions": [{"y": [2.0, 4.0, 6.0]}]}

    register["Resource"] = places
    assert stack.apply(template, Stage="own") == "UPDATE_COMPLETE", stack.why()
    # What `aws sqs start-message-move-task` does; the stand-in has no such task.
    sqs.send_message(QueueUrl=stack.physical("IngestQueue"), MessageBody=letter["Body"])
    sqs.delete_message(QueueUrl=dead, ReceiptHandle=letter["ReceiptHandle"])
    deadline = time.monotonic() + 60
    while predict(deployment).json() != {"predictions": [{"y": [5.0, 10.0, 15.0]}]}:
        assert time.monotonic() < deadline, "the event that was sent again made no version"
        time.sleep(0.2)
    found = deployment.http.get("/models/steady/versions").json()["versions"]
    assert [row["version"] for row in found] == [1, 2]

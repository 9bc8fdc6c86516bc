"""The template deployed with other parameters than the defaults."""

import json
import time

import httpx
import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from . import onnx_models
from .targets import issuer
from .targets.standin import REGION

pytestmark = pytest.mark.target("standin")

OPEN = ("/v2/health/live", "/v2/health/ready", "/docs", "/openapi.json")
GUARDED = ("/v2", "/v2/models/any", "/v1/models", "/models", "/models/any")


def test_a_bucket_and_a_key_of_ones_own_and_whatever_else_can_be_set(stood_in, saved):
    clients = stood_in.stack("none").clients
    bucket = "a-bucket-that-was-there"
    clients["s3"].create_bucket(Bucket=bucket)
    clients["s3"].put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"EventBridgeConfiguration": {}}
    )
    parameters = {
        "ExistingBucket": bucket,
        "KmsKeyArn": clients["kms"].create_key()["KeyMetadata"]["Arn"],
        "AlarmTopicArn": clients["sns"].create_topic(Name="alarms")["TopicArn"],
        "LogRetentionDays": "7",
        "PredictMemory": "512",
        "Preload": "kept",
        "ReservedConcurrency": "5",
        "SnapStart": "on",
    }
    with stood_in.deployed("varied", **parameters) as (deployment, stack):
        assert stack.outputs()["BucketName"] == bucket
        # Through EventBridge, the rule and the queue: the stack may not touch the bucket's notifications.
        done = deployment.publish("kept", saved(onnx_models.linear()), "--timeout", "60")
        assert done.returncode == 0, done.stderr
        answer = deployment.http.post("/models/kept/predict", json=[1, 2, 3])
        assert answer.json() == {"predictions": [{"y": [2.0, 4.0, 6.0]}]}
        name = stack.physical("PredictFunction")
        found = clients["lambda"].get_function_configuration(FunctionName=name)
        assert found["MemorySize"] == 512
        assert found["SnapStart"]["ApplyOn"] == "PublishedVersions"
        queue = {"QueueUrl": stack.physical("IngestQueue"), "AttributeNames": ["KmsMasterKeyId"]}
        key = clients["sqs"].get_queue_attributes(**queue)["Attributes"]["KmsMasterKeyId"]
        assert key == parameters["KmsKeyArn"]


def test_environments_that_are_always_warm(stood_in):
    stack = stood_in.stack("coldpress-warm")
    assert stack.deploy(stood_in.archives, Stage="warm", ProvisionedConcurrency="2") == "CREATE_COMPLETE"
    found = stack.clients["lambda"].get_provisioned_concurrency_config(
        FunctionName=stack.physical("PredictFunction"), Qualifier="live"
    )
    assert found["RequestedProvisionedConcurrentExecutions"] == 2


@pytest.fixture(scope="module")
def provider():
    with issuer.running() as made:
        yield made


@pytest.fixture(scope="module")
def with_tokens(stood_in, provider):
    """The URL of a deployment whose gateway takes the provider's tokens."""
    stack = stood_in.stack("coldpress-jwt")
    parameters = {"AuthMode": "jwt", "JwtIssuer": "https://issuer.example", "JwtAudience": issuer.AUDIENCE}
    template = stack.template(stood_in.archives, issuer=provider.url, Stage="jwt", **parameters)
    assert stack.apply(template, Stage="jwt", **parameters) == "CREATE_COMPLETE", stack.why()
    return stood_in.api_url(stack)


def get(url, path, **headers):
    return httpx.get(url + path, headers=headers, timeout=60)


def test_the_gateway_takes_tokens_of_its_issuer_and_audience_alone(with_tokens, provider):
    with issuer.running() as stranger:
        bad = {
            "another audience": provider.token(aud="other"),
            "over": provider.token(exp=int(time.time()) - 10),
            "another issuer": stranger.token(),
            "forged": stranger.token(iss=provider.url),
            "no token": "abc",
        }
    for path in GUARDED:
        assert get(with_tokens, path).status_code == 401
        for why, token in bad.items():
            assert get(with_tokens, path, authorization=f"Bearer {token}").status_code == 401, why
    for path in OPEN:
        assert get(with_tokens, path).status_code == 200
    good = {"authorization": f"Bearer {provider.token()}"}
    assert get(with_tokens, "/v2", **good).json()["name"] == "coldpress"
    assert get(with_tokens, "/models", **good).json() == {"models": []}
    assert get(with_tokens, "/v2/models/any", **good).status_code == 404
    upload = {"model": "m", "filename": "m.onnx"}
    assert httpx.post(with_tokens + "/uploads", json=upload, headers=good, timeout=60).status_code == 201
    assert httpx.post(with_tokens + "/uploads", json=upload, timeout=60).status_code == 401


@pytest.fixture(scope="module")
def signed(stood_in):
    """The URL of a deployment whose gateway asks IAM, and how to sign for it."""
    stack = stood_in.stack("coldpress-iam")
    assert stack.deploy(stood_in.archives, Stage="iam", AuthMode="iam") == "CREATE_COMPLETE", stack.why()
    url = stood_in.api_url(stack)

    def ask(method, path, credentials, body=b""):
        request = AWSRequest(method, url + path, data=body, headers={"content-type": "application/json"})
        SigV4Auth(credentials, "execute-api", REGION).add_auth(request)
        return httpx.request(method, url + path, content=body, headers=dict(request.headers), timeout=60)

    return stack, url, ask


def test_the_gateway_asks_iam(signed):
    _, url, ask = signed
    root = Credentials("test", "test")
    for path in GUARDED:
        assert get(url, path).status_code == 403
        assert get(url, path, **{"x-api-key": "cp_any"}).status_code == 403
    for path in OPEN:
        assert get(url, path).status_code == 200
    assert ask("GET", "/models", root).json() == {"models": []}
    assert ask("GET", "/v2", root).json()["name"] == "coldpress"


def test_a_caller_who_may_only_predict(signed):
    """As docs/operations.md says: by `execute-api:Invoke` on paths."""
    stack, _, ask = signed
    iam = stack.clients["iam"]
    iam.create_user(UserName="caller")
    api = stack.physical("HttpApi")
    allowed = {
        "Effect": "Allow",
        "Action": "execute-api:Invoke",
        "Resource": f"arn:aws:execute-api:{REGION}:*:{api}/*/POST/models/*/predict",
    }
    iam.put_user_policy(
        UserName="caller",
        PolicyName="predict",
        PolicyDocument=json.dumps({"Version": "2012-10-17", "Statement": [allowed]}),
    )
    made = iam.create_access_key(UserName="caller")["AccessKey"]
    caller = Credentials(made["AccessKeyId"], made["SecretAccessKey"])
    assert ask("POST", "/models/any/predict", caller, b"[1]").status_code == 404
    assert ask("GET", "/models", caller).status_code == 403
    assert ask("POST", "/uploads", caller, b"{}").status_code == 403
    wrong = Credentials(made["AccessKeyId"], "x" * 40)
    assert ask("POST", "/models/any/predict", wrong, b"[1]").status_code == 403

"""The template's policies against what the functions really do: nothing missing, nothing too much."""

from collections.abc import Iterator

import pytest

from ...support import cloudformation
from .deployed import NAMES, Deployed, used
from .rights import Right, batch_needs, grants, needs

BUCKET = "the-bucket"
KEY = "arn:aws:kms:eu-central-1:123456789012:key/k"
ROLES = {"predict": "PredictRole", "api": "ApiRole", "ingest": "IngestRole", "train": "TrainRole"}
WHO = (*NAMES, "job")
TRAINING = {"Training": "batch", "TrainingVpc": "vpc-1", "TrainingSubnets": "subnet-1"}
NESTED = {"Stage": "dev", "Store": BUCKET, "TrainFunction": "f", "Vpc": "v", "Subnets": "s", "KmsKeyArn": KEY}
BATCH = "arn:aws:batch:eu-central-1:123456789012"

LOGS = "Lambda writes the function's log with the function's rights."
POLL = "Lambda reads the queue with the function's rights."
CRYPT = "S3 uses the key in the caller's name where KmsKeyArn is set; the test's server has no keys."
UNUSED = {
    **{(name, action): LOGS for name in NAMES for action in ("logs:CreateLogStream", "logs:PutLogEvents")},
    **{("ingest", f"sqs:{a}"): POLL for a in ("DeleteMessage", "GetQueueAttributes", "ReceiveMessage")},
    **{(name, "kms:Decrypt"): CRYPT for name in WHO},
    **{(name, "kms:GenerateDataKey"): CRYPT for name in WHO if name != "predict"},
    ("train", "sqs:SendMessage"): "Lambda keeps events that failed with the function's rights.",
    (
        "job",
        "s3:AbortMultipartUpload",
    ): "Only large results go up in parts, and only broken ones are given up.",
    **{
        (name, "batch:SubmitJob"): "Runs of many nodes have a queue of their own; the test's have one."
        for name in ("api", "train")
    },
}
"""Rights that the functions' own requests never need, each with its reason."""


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    with used(tmp_path_factory.mktemp("weed")) as made:
        yield made


@pytest.fixture(scope="module")
def needed(deployed: Deployed) -> dict[str, set[Right]]:
    """Each one's needs, as if its bucket had been the one that the template is expanded with."""
    found = {}
    for name, recorder in deployed.recorders.items():
        rights = {right for call in recorder.calls for right in needs(call)}
        found[name] = {Right(r.action, _in_bucket(r.resource)) for r in rights}
    for name, operation, request in deployed.batch.asked:
        found[name] |= set(batch_needs(operation, request, BATCH))
    return found


@pytest.fixture(scope="module")
def granted() -> dict[str, list[Right]]:
    resources = cloudformation.resources(ExistingBucket=BUCKET, KmsKeyArn=KEY, **TRAINING)
    found = {name: list(grants(resources[role])) for name, role in ROLES.items()}
    return found | {"job": list(grants(cloudformation.training(**NESTED)["JobRole"]))}


def _deployments(resource: str) -> str:
    """The queue or job definition of this deployment that `resource` has to be."""
    kind, _, name = resource.removeprefix(f"{BATCH}:").partition("/")
    assert kind in ("job-queue", "job-definition")
    return f"{BATCH}:{kind}/coldpress-dev{'-nodes' * name.endswith('-nodes')}"


def _in_bucket(resource: str) -> str:
    _, slash, key = resource.partition("/")
    return f"arn:aws:s3:::{BUCKET}{slash}{key}"


@pytest.mark.parametrize("name", WHO)
def test_nothing_that_is_needed_is_denied(
    name: str, needed: dict[str, set[Right]], granted: dict[str, list[Right]]
) -> None:
    assert needed[name], "nothing was recorded"
    denied = {need for need in needed[name] if not any(grant.covers(need) for grant in granted[name])}
    assert denied == set()


@pytest.mark.parametrize("name", WHO)
def test_nothing_is_granted_that_is_never_used(
    name: str, needed: dict[str, set[Right]], granted: dict[str, list[Right]]
) -> None:
    unused = [grant for grant in granted[name] if not any(grant.covers(need) for need in needed[name])]
    assert {grant for grant in unused if (name, grant.action) not in UNUSED} == set()
    stale = {action for function, action in UNUSED if function == name} - {grant.action for grant in unused}
    assert stale == set(), "these have a reason to be unused, and are used or not granted"


def test_what_was_done_covers_every_kind_of_request(needed: dict[str, set[Right]]) -> None:
    """Guards the recording: without a multipart upload, say, its rights would look superfluous."""
    actions = {name: {need.action for need in rights} for name, rights in needed.items()}
    assert actions == {
        "predict": {"s3:GetObject", "s3:ListBucket"},
        "api": {"batch:SubmitJob", "batch:TerminateJob", "s3:GetObject", "s3:ListBucket", "s3:PutObject"},
        "ingest": {"s3:AbortMultipartUpload", "s3:GetObject", "s3:ListBucket", "s3:PutObject"},
        "train": {"batch:SubmitJob", "s3:GetObject", "s3:ListBucket", "s3:PutObject"},
        "job": {"s3:DeleteObject", "s3:GetObject", "s3:ListBucket", "s3:PutObject"},
    }


@pytest.mark.parametrize(
    ("name", "action", "key"),
    [
        ("predict", "s3:PutObject", "models/m/aliases/prod.json"),
        ("predict", "s3:GetObject", "incoming/m/t/m.onnx"),
        ("api", "s3:PutObject", "models/m/versions/1/manifest.json"),
        ("api", "s3:PutObject", "models/m/uploads/t.json"),
        ("api", "s3:GetObject", "models/m/versions/1/model.ort"),
        ("api", "s3:PutObject", "keys/k.json"),
        ("ingest", "s3:GetObject", "keys/k.json"),
        ("ingest", "s3:PutObject", "keys/k.json"),
        ("ingest", "s3:PutObject", "incoming/m/t/m.onnx"),
        *(
            (name, "s3:GetObject", key)
            for name in ("train", "job")
            for key in ("keys/k.json", "models/m/versions/1/manifest.json", "incoming/m/t/m.onnx")
        ),
        ("job", "s3:PutObject", "models/m/aliases/prod.json"),
        ("job", "s3:PutObject", "datasets/d/rows.csv"),
        ("job", "s3:DeleteObject", "runs/r/run.json"),
        ("train", "s3:GetObject", "datasets/d/rows.csv"),
        ("train", "s3:PutObject", "runs/r/model.onnx"),
        *(
            (name, "s3:DeleteObject", key)
            for name in WHO
            for key in ("keys/k.json", "models/m/a", "incoming/a")
        ),
        *((name, "s3:PutBucketPolicy", "") for name in WHO),
    ],
)
def test_what_a_function_that_was_taken_over_cannot_do(
    name: str, action: str, key: str, granted: dict[str, list[Right]]
) -> None:
    right = Right(action, f"arn:aws:s3:::{BUCKET}/{key}".rstrip("/"))
    assert not any(grant.covers(right) for grant in granted[name])


@pytest.mark.parametrize("name", WHO)
def test_no_right_reaches_beyond_this_deployment(name: str, granted: dict[str, list[Right]]) -> None:
    """Each names one service's action and one of our own resources; only keys below a prefix are open."""
    for grant in granted[name]:
        assert "*" not in grant.action
        service = grant.action.partition(":")[0]
        if service == "batch":
            # A job's ARN has nothing of its name: the functions end only those that a record names.
            ends = grant.action == "batch:TerminateJob"
            assert grant.resource == (f"{BATCH}:job/*" if ends else _deployments(grant.resource))
            continue
        own = {
            "s3": f"arn:aws:s3:::{BUCKET}",
            "sqs": f"arn:aws:sqs:::coldpress-dev-{'ingest' if name == 'ingest' else 'train-dead-letters'}",
            "kms": KEY,
            "logs": f"arn:aws:logs:::log-group:{ROLES.get(name, '').removesuffix('Role')}Logs:*",
        }[service]
        assert grant.resource == own or grant.resource.startswith(f"{own}/")
        assert grant.resource not in (f"{own}/*", "*")

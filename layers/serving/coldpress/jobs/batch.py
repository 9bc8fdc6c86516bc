"""What is asked of AWS Batch. infra/training.yaml has the queue and the job definitions, by these names."""

import os

from coldpress.errors import Unavailable, Unsupported
from coldpress.jobs import RUN_VARIABLE
from coldpress.runs import Run
from coldpress.typed import Any

CONNECT_SECONDS, READ_SECONDS, TRIES = 3, 5, 2
"""All tries together stay far below the API function's 29 s: it has to note that there was no answer."""
HIGHEST_PRIORITY = 9999
UNKNOWN_MINUTES = 24 * 60
"""A run that nobody has estimated waits behind all that take less than a day."""


class Batch:
    """One training stack. Raises `Unsupported` where boto3 is not installed."""

    def __init__(self, training: str, client: Any = None) -> None:
        """`training`: the queue's and job definitions' name, such as `coldpress-dev`."""
        self.training = training
        self._client = client or _client()

    def submit(self, run: Run) -> str:
        """Puts a run into the queue; the job's id. Raises `Unavailable` with AWS's own words."""
        return str(self._ask("submit_job", submission(run, self.training))["jobId"])

    def terminate(self, job: str, reason: str) -> None:
        """Ends a job that waits or runs; one that is over stays as it is. Raises `Unavailable`."""
        self._ask("terminate_job", {"jobId": job, "reason": reason})

    def _ask(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        from botocore.exceptions import (  # type: ignore[import-untyped, unused-ignore]
            BotoCoreError,
            ClientError,
        )

        try:
            answer: dict[str, Any] = getattr(self._client, operation)(**request)
        except (BotoCoreError, ClientError) as error:
            raise Unavailable(f"AWS Batch: {error}") from error
        return answer


def submission(run: Run, training: str) -> dict[str, Any]:
    """The arguments of SubmitJob. No credentials: the job has its role; its data it finds in the record."""
    overrides: dict[str, Any] = {"environment": [{"name": RUN_VARIABLE, "value": run.id}]}
    if run.gpus:
        overrides["resourceRequirements"] = [{"type": "GPU", "value": str(run.gpus)}]
    # Many nodes have a queue of their own too: AWS Batch takes none on the spot market.
    name = training if run.nodes == 1 else f"{training}-nodes"
    request = {
        "jobName": run.id,
        "jobQueue": name,
        "jobDefinition": name,
        "shareIdentifier": run.share,
        "schedulingPriorityOverride": priority(run.minutes),
    }
    if run.nodes == 1:
        return request | {"containerOverrides": overrides}
    every_node = {"targetNodes": "0:", "containerOverrides": overrides}
    return request | {"nodeOverrides": {"numNodes": run.nodes, "nodePropertyOverrides": [every_node]}}


def priority(minutes: int) -> int:
    """Shortest expected job first: a day's job has 8559, a minute's 9998, the longest 0."""
    return max(0, HIGHEST_PRIORITY - (minutes or UNKNOWN_MINUTES))


def _client() -> Any:
    try:
        import boto3  # type: ignore[import-untyped, unused-ignore]
        from botocore.config import Config  # type: ignore[import-untyped, unused-ignore]
    except ModuleNotFoundError:
        raise Unsupported("boto3 is not installed; pip install 'coldpress[deploy]'") from None
    # Not `max_attempts`, which in this place does not count the first try.
    retries = {"mode": "standard", "total_max_attempts": TRIES}
    config = Config(connect_timeout=CONNECT_SECONDS, read_timeout=READ_SECONDS, retries=retries)
    # boto3 itself reads AWS_DEFAULT_REGION only.
    return boto3.client("batch", region_name=os.environ.get("AWS_REGION"), config=config)

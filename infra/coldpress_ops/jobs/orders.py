"""`coldpress train --on …`: where a run is started, and how it got there."""

from dataclasses import dataclass, field
from pathlib import Path

from coldpress import runs
from coldpress.errors import InvalidRequest
from coldpress.jobs.batch import Batch
from coldpress.jobs.start import start
from coldpress.runs import Run
from coldpress.store import Store
from coldpress_ops.jobs import local
from coldpress_ops.jobs.datasets import stored

NO_STACK = "{stack} has no training stack; run: coldpress deploy --stage {stage} --set Training=batch"


@dataclass(frozen=True)
class Order:
    """What the command line asks for."""

    recipe: str
    settings: dict[str, str] = field(default_factory=dict)
    data: str = ""
    publish: str = ""
    nodes: int = 1
    gpus: int = 0
    minutes: int = 0

    def run(self, store: Store) -> Run:
        """The record, with the data in the store. Raises `InvalidRequest`."""
        wishes = {"publish": self.publish, "nodes": self.nodes, "gpus": self.gpus, "minutes": self.minutes}
        runs.order(self.recipe, self.settings, **wishes)  # refused before anything is uploaded
        return runs.order(
            self.recipe, self.settings, data=stored(store, self.data) if self.data else "", **wishes
        )


def start_local(order: Order, state: Path) -> Run:
    """Starts a process of this machine. Raises `InvalidRequest` for what needs more than one machine."""
    if order.nodes > 1 or order.gpus:
        raise InvalidRequest("--nodes and --gpus are for --on batch; on this machine, use torchrun")
    return local.start(state, order.run(local.store_of(state, make=True)))


@dataclass(frozen=True)
class Submitted:
    """A run in a deployment's queue, and the deployment's URL."""

    run: Run
    url: str


def start_batch(order: Order, stage: str, region: str | None) -> Submitted:
    """Submits a job to the deployment of a stage, with the rights of your own AWS credentials.

    Raises:
        Unsupported: boto3 is missing.
        InvalidRequest: no region, or the stage has no training stack.
        Unavailable: AWS did not do it.
    """
    from coldpress_ops.deploy import changes
    from coldpress_ops.deploy.aws import Cloud, in_words

    cloud, stack = Cloud(region), f"coldpress-{stage}"
    with in_words():
        outputs = changes.outputs_of(cloud.formation, stack)
    if not outputs.get("TrainingQueue"):
        raise InvalidRequest(NO_STACK.format(stack=stack, stage=stage))
    cloud.lend_credentials()
    store = Store(f"s3://{outputs['BucketName']}")
    batch = Batch(outputs["TrainingQueue"], cloud.client("batch"))
    return Submitted(start(store, order.run(store), batch), outputs["Url"])

"""Where a job stands among its nodes, and how its worker is started there."""

import socket
import sys
from collections.abc import Mapping
from dataclasses import dataclass

from coldpress.errors import InvalidRequest
from coldpress.jobs import RUN_VARIABLE, STORE_VARIABLE
from coldpress.runs import Run

REASON_VARIABLE = "COLDPRESS_REASON"
"""The file that a worker writes why it failed into."""
WORKER = ("-m", "coldpress_build.job.work")
PORT = 29_500
"""Where the main node listens for the others, torchrun's own default."""


@dataclass(frozen=True)
class Place:
    """What AWS Batch tells a container: https://docs.aws.amazon.com/batch/latest/userguide/job_env_vars.html"""

    run: str
    store: str
    job: str
    """AWS Batch's id of the whole job; empty on this machine."""
    attempt: int
    node: int
    nodes: int
    main: int
    main_address: str
    """Empty on the main node."""
    gpus: int
    """That this container may use; 0: unknown."""

    @property
    def is_main(self) -> bool:
        """Whether this node keeps the record and the log."""
        return self.node == self.main


def place(environment: Mapping[str, str]) -> Place:
    """Raises `InvalidRequest` when the environment does not say what to do."""
    for name in (RUN_VARIABLE, STORE_VARIABLE):
        if not environment.get(name):
            raise InvalidRequest(
                f"{name} is not set; a job is started by: coldpress train RECIPE --on local (or batch)"
            )
    return Place(
        run=environment[RUN_VARIABLE],
        store=environment[STORE_VARIABLE],
        job=environment.get("AWS_BATCH_JOB_ID", "").partition("#")[0],
        attempt=int(environment.get("AWS_BATCH_JOB_ATTEMPT", "1")),
        node=int(environment.get("AWS_BATCH_JOB_NODE_INDEX", "0")),
        nodes=int(environment.get("AWS_BATCH_JOB_NUM_NODES", "1")),
        main=int(environment.get("AWS_BATCH_JOB_MAIN_NODE_INDEX", "0")),
        main_address=environment.get("AWS_BATCH_JOB_MAIN_NODE_PRIVATE_IPV4_ADDRESS", ""),
        gpus=_gpus(environment.get("NVIDIA_VISIBLE_DEVICES", "")),
    )


def command(here: Place, run: Run) -> list[str]:
    """The worker's command: plain Python for one process, else torchrun with one process a GPU."""
    processes = run.gpus or here.gpus or 1
    if here.nodes * processes == 1:
        return [sys.executable, *WORKER]
    return [
        *(sys.executable, "-m", "torch.distributed.run"),
        f"--nnodes={here.nodes}",
        f"--nproc-per-node={processes}",
        f"--node-rank={here.node}",
        f"--master-addr={here.main_address or _own_address()}",
        f"--master-port={PORT}",
        *WORKER,
    ]


def _gpus(visible: str) -> int:
    # A list of ids where the container has its own GPUs; a word where all, none or unknown.
    return 0 if visible in ("", "all", "none", "void") else len(visible.split(","))


def _own_address() -> str:
    try:
        return socket.gethostbyname(socket.gethostname())
    except OSError:  # a name that nobody knows: then there is only this machine
        return "127.0.0.1"

"""The template deployed to ministack, an AWS stand-in that runs the functions.

IAM is enforced (AUTH), so the functions have only the rights that the template gives them.
"""

import contextlib
import os
import subprocess
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import boto3
import httpx
from botocore.config import Config
from obstore.store import S3Store

from ...support import keeper, toolbox
from ...support.ports import free_port
from . import layers
from .deployment import Deployment, Objects, client
from .differences import STANDIN
from .stack import ARTIFACTS, Stack

REQUIREMENTS = Path(__file__).with_name("ministack.txt")
REGION = "us-east-1"
ROOT = {"aws_access_key_id": "test", "aws_secret_access_key": "test", "region_name": REGION}
SERVICES = ("cloudformation", "s3", "sqs", "lambda", "kms", "sns", "iam")
START_SECONDS = 30


@dataclass(frozen=True)
class StandIn:
    """A running stand-in, and the zip files of the functions and layers by logical id."""

    endpoint: str
    python: Path
    ort_library: Path
    archives: Mapping[str, bytes] = field(repr=False)

    def stack(self, name: str) -> Stack:
        """A handle on a stack, whether it exists yet or not."""
        return Stack(name, clients(self.endpoint), self.python, self.ort_library)

    def api_url(self, stack: Stack) -> str:
        # By path: names below execute-api.localhost resolve on some systems only.
        return f"{self.endpoint}/_aws/execute-api/{stack.physical('HttpApi')}/$default"

    @contextlib.contextmanager
    def deployed(self, stage: str, **parameters: str) -> Iterator[tuple[Deployment, Stack]]:
        """The template as a stack of its own; it stays when the block ends, until the stand-in does."""
        stack = self.stack(f"coldpress-{stage}")
        status = stack.deploy(self.archives, Stage=stage, **parameters)
        if status != "CREATE_COMPLETE":
            raise RuntimeError(f"the stack is {status}:\n{stack.why()}")
        with _deployment(self.api_url(stack), self.endpoint, stack) as made:
            yield made, stack


@contextlib.contextmanager
def running(folder: Path) -> Iterator[StandIn]:
    """A stand-in without any stack."""
    with ThreadPoolExecutor(1) as pool:
        building = pool.submit(layers.build, folder / "layers")
        tools = toolbox.installed(REQUIREMENTS)
        with _server(tools, folder / "ministack") as endpoint:
            built = building.result()
            folders = layers.functions() | built
            archives = {name: layers.archive(path) for name, path in folders.items()}
            (library,) = built["OnnxRuntimeLayer"].glob("lib/libonnxruntime.so.*")
            clients(endpoint)["s3"].create_bucket(Bucket=ARTIFACTS)
            yield StandIn(endpoint, tools / "python", library, archives)


@contextlib.contextmanager
def _deployment(url: str, endpoint: str, stack: Stack) -> Iterator[Deployment]:
    bucket = stack.outputs()["BucketName"]
    environment = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ROOT["aws_access_key_id"],
        "AWS_SECRET_ACCESS_KEY": ROOT["aws_secret_access_key"],
    }
    objects = Objects(
        S3Store(
            bucket,
            endpoint=endpoint,
            region=REGION,
            access_key_id=ROOT["aws_access_key_id"],
            secret_access_key=ROOT["aws_secret_access_key"],
            client_options={"allow_http": True},
        )
    )
    bare = Deployment(url, "", objects, httpx.Client(), f"s3://{bucket}", environment, STANDIN)
    made = bare.keys("create", "--admin")
    if made.returncode:
        raise RuntimeError(f"no key could be made: {made.stderr}")
    key = made.stdout.strip()
    bare.http.close()
    with client(url, key) as http:
        yield Deployment(url, key, objects, http, bare.store, environment, STANDIN)


@contextlib.contextmanager
def _server(tools: Path, folder: Path) -> Iterator[str]:
    """The endpoint of a stand-in that keeps everything below `folder`."""
    folder.mkdir(parents=True)
    port = free_port()
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "TMPDIR": str(folder),
        "BIND_HOST": "127.0.0.1",  # its default is every interface
        "GATEWAY_PORT": str(port),
        "S3_DATA_DIR": str(folder / "s3"),
        "STATE_DIR": str(folder / "state"),
        "AUTH": "true",
    }
    endpoint = f"http://127.0.0.1:{port}"
    command = [str(tools / "python"), "-m", "ministack"]
    with keeper.kept(command, folder / "log", environment) as process:
        _wait(endpoint, process, folder / "log")
        yield endpoint


def clients(endpoint: str) -> dict[str, Any]:
    config = Config(retries={"max_attempts": 1}, connect_timeout=2, read_timeout=30)
    return {name: boto3.client(name, endpoint_url=endpoint, config=config, **ROOT) for name in SERVICES}


def _wait(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"{endpoint}/_ministack/health").status_code == 200:
                return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"ministack did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.05)

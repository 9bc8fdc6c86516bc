"""SeaweedFS, a real S3 server, on this machine only: for the tests of the store and for the benchmarks."""

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from . import keeper

ACCESS_KEY, SECRET_KEY, REGION = "coldpress", "coldpress-secret", "us-east-1"
IDENTITIES = (
    '{"identities": [{"name": "tests", "actions": ["Admin", "Read", "Write", "List", "Tagging"], '
    f'"credentials": [{{"accessKey": "{ACCESS_KEY}", "secretKey": "{SECRET_KEY}"}}]}}]}}'
)
START_SECONDS = 60


@contextlib.contextmanager
def running(folder: Path, host: str = "127.0.0.1") -> Iterator[str]:
    """The URL of a server that keeps everything below `folder`, which must be empty."""
    (port,) = free_ports(1)
    endpoint = f"http://{host}:{port}"
    with keeper.kept(_command(folder, port, host), folder / "log", grace=0) as process:
        _wait(endpoint, process, folder / "log")
        yield endpoint


def variables(endpoint: str) -> dict[str, str]:
    """The environment variables that point a process at the server."""
    return {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_REGION": REGION,
        "AWS_ACCESS_KEY_ID": ACCESS_KEY,
        "AWS_SECRET_ACCESS_KEY": SECRET_KEY,
    }


def without_aws(environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The environment without anything that could point at a real account."""
    return {name: value for name, value in environment.items() if not name.startswith("AWS_")}


def client(endpoint: str) -> Any:
    """boto3's client, as a second opinion of what is stored."""
    config = Config(retries={"max_attempts": 1}, connect_timeout=2, read_timeout=5)
    return boto3.client(
        "s3", endpoint_url=endpoint, config=config, region_name=REGION,
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
    )  # fmt: skip


def new_bucket(endpoint: str) -> str:
    """The `s3://` URL of an empty bucket."""
    name = f"test-{os.urandom(6).hex()}"
    client(endpoint).create_bucket(Bucket=name)
    return f"s3://{name}"


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, found all at once so that none is given twice."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def _command(folder: Path, s3_port: int, host: str) -> list[str]:
    """One process with everything an S3 server needs and nothing more."""
    roles = ("master", "filer", "volume", "admin")
    http, grpc = free_ports(len(roles)), free_ports(len(roles) + 1)
    config = folder / "s3.json"
    config.write_text(IDENTITIES)
    (folder / "data").mkdir()
    return [
        str(Path(sys.executable).with_name("weed")), "-logtostderr", "mini", f"-dir={folder / 'data'}",
        f"-ip={host}", f"-ip.bind={host}", f"-s3.port={s3_port}", f"-s3.port.grpc={grpc[-1]}",
        *(f"-{role}.port={port}" for role, port in zip(roles, http, strict=True)),
        *(f"-{role}.port.grpc={port}" for role, port in zip(roles, grpc, strict=False)),
        f"-s3.config={config}", f"-s3.localSocket={folder / 's3.sock'}",
        f"-filer.localSocket={folder / 'filer.sock'}", "-master.telemetry=false", "-webdav=false",
        "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
    ]  # fmt: skip


def _wait(endpoint: str, process: subprocess.Popen[bytes], log: Path) -> None:
    """Returns once a written object can be read back: the volumes come up after the port."""
    s3, deadline = client(endpoint), time.monotonic() + START_SECONDS
    while True:
        with contextlib.suppress(Exception):
            s3.create_bucket(Bucket="ready")
            s3.put_object(Bucket="ready", Key="ready", Body=b"1")
            s3.get_object(Bucket="ready", Key="ready")
            return
        if process.poll() is not None or time.monotonic() > deadline:
            raise RuntimeError(f"SeaweedFS did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.1)

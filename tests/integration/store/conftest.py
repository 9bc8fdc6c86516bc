"""Stores to test against: a folder, memory, and SeaweedFS, a real S3 server, started once."""

import contextlib
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import boto3
import pytest
from botocore.config import Config

from coldpress.store import Store

ACCESS_KEY, SECRET_KEY = "coldpress", "coldpress-secret"
IDENTITIES = (
    '{"identities": [{"name": "tests", "actions": ["Admin", "Read", "Write", "List", "Tagging"], '
    f'"credentials": [{{"accessKey": "{ACCESS_KEY}", "secretKey": "{SECRET_KEY}"}}]}}]}}'
)


def free_ports(count: int) -> list[int]:
    """Ports that nothing listens on, found all at once so that none is given twice."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]


def weed_command(folder: Path, s3_port: int) -> list[str]:
    """One process with everything an S3 server needs and nothing more, on this machine only."""
    roles = ("master", "filer", "volume", "admin")
    http, grpc = free_ports(len(roles)), free_ports(len(roles) + 1)
    config = folder / "s3.json"
    config.write_text(IDENTITIES)
    (folder / "data").mkdir()
    return [
        str(Path(sys.executable).with_name("weed")), "-logtostderr", "mini", f"-dir={folder / 'data'}",
        "-ip=127.0.0.1", "-ip.bind=127.0.0.1", f"-s3.port={s3_port}", f"-s3.port.grpc={grpc[-1]}",
        *(f"-{role}.port={port}" for role, port in zip(roles, http, strict=True)),
        *(f"-{role}.port.grpc={port}" for role, port in zip(roles, grpc, strict=False)),
        f"-s3.config={config}", f"-s3.localSocket={folder / 's3.sock'}",
        f"-filer.localSocket={folder / 'filer.sock'}", "-master.telemetry=false", "-webdav=false",
        "-admin.ui=false", "-s3.port.iceberg=0", "-s3.port.lance=0",
    ]  # fmt: skip


@pytest.fixture(scope="session")
def s3_endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The URL of a SeaweedFS server of our own."""
    for attempts_left in (2, 1, 0):
        folder = tmp_path_factory.mktemp("weed")
        (port,) = free_ports(1)
        with (folder / "log").open("wb") as log:
            process = subprocess.Popen(weed_command(folder, port), stdout=log, stderr=log, cwd=folder)
        endpoint = f"http://127.0.0.1:{port}"
        try:
            if wait_for_s3(endpoint, process):
                yield endpoint
                return
        finally:
            process.kill()
            process.wait()
        # Another process may have taken one of the ports between finding it free and listening on it.
        assert attempts_left, f"SeaweedFS did not start:\n{(folder / 'log').read_text()[-3000:]}"


def s3_client(endpoint: str) -> Any:
    """boto3's client, as the tests' second opinion of what is stored."""
    config = Config(retries={"max_attempts": 1}, connect_timeout=2, read_timeout=5)
    return boto3.client(
        "s3", endpoint_url=endpoint, config=config, region_name="us-east-1",
        aws_access_key_id=ACCESS_KEY, aws_secret_access_key=SECRET_KEY,
    )  # fmt: skip


def wait_for_s3(endpoint: str, process: subprocess.Popen[bytes]) -> bool:
    """Whether a written object can be read back at last: the volumes come up after the port."""
    client, deadline = s3_client(endpoint), time.monotonic() + 60
    while process.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(Exception):
            client.create_bucket(Bucket="ready")
            client.put_object(Bucket="ready", Key="ready", Body=b"1")
            client.get_object(Bucket="ready", Key="ready")
            return True
        time.sleep(0.1)
    return False


@pytest.fixture
def s3_environment(s3_endpoint: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """The variables that point this process and its children at the server; the endpoint."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ENDPOINT_URL", s3_endpoint)
    monkeypatch.setenv("AWS_REGION", "us-east-1")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", ACCESS_KEY)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", SECRET_KEY)
    return s3_endpoint


@pytest.fixture
def s3_url(s3_environment: str) -> str:
    """The URL of an empty bucket."""
    bucket = f"test-{os.urandom(6).hex()}"
    s3_client(s3_environment).create_bucket(Bucket=bucket)
    return f"s3://{bucket}"


@pytest.fixture(params=["file", "s3"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store that several processes can share."""
    if request.param == "file":
        return f"file://{tmp_path / 'store'}"
    found: str = request.getfixturevalue("s3_url")
    return found


@pytest.fixture(params=["file", "s3", "memory"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """An empty store of each kind."""
    if request.param == "s3":
        return Store(request.getfixturevalue("s3_url"))
    return Store(f"file://{tmp_path / 'store'}" if request.param == "file" else "memory:///")


class LaxS3(ThreadingHTTPServer):
    """An S3-like server in memory that honours only the conditions it is told to, and can be troubled."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), LaxHandler)
        self.objects: dict[str, bytes] = {}
        self.honours: frozenset[str] = frozenset()
        self.before: Callable[[LaxHandler], int] = lambda _: 0
        """Called before each request is answered; a status other than 0 is the answer."""

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class LaxHandler(BaseHTTPRequestHandler):
    """GET with ranges, PUT and removal of one object."""

    protocol_version = "HTTP/1.1"
    server: LaxS3

    def do_GET(self) -> None:
        """The object, or the range of it that is asked for."""
        data = self.server.objects.get(self.path)
        status = self.server.before(self) or (404 if data is None else 200)
        if status != 200 or data is None:
            self.answer(status)
        elif "Range" not in self.headers:
            self.answer(200, data)
        else:
            start, _, end = self.headers["Range"].removeprefix("bytes=").partition("-")
            part = data[int(start) : int(end) + 1]
            self.answer(
                206, part, {"Content-Range": f"bytes {start}-{int(start) + len(part) - 1}/{len(data)}"}
            )

    def do_PUT(self) -> None:
        """Stores the body, unless a condition that is honoured says no."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        known = self.server.objects.get(self.path)
        condition = next((name for name in self.server.honours if name in self.headers), "")
        taken = condition == "If-None-Match" and known is not None
        changed = condition == "If-Match" and (known is None or self.headers["If-Match"] != etag_of(known))
        status = self.server.before(self) or (412 if taken or changed else 200)
        if status == 200:
            self.server.objects[self.path] = body
        self.answer(status, etag=etag_of(body))

    def do_POST(self) -> None:
        """`?delete`: removes the one object that is named."""
        request = self.rfile.read(int(self.headers["Content-Length"])).decode()
        key = request.partition("<Key>")[2].partition("</Key>")[0]
        self.server.objects.pop(f"{self.path.partition('?')[0]}/{key}", None)
        self.answer(
            self.server.before(self) or 200,
            f"<DeleteResult><Deleted><Key>{key}</Key></Deleted></DeleteResult>".encode(),
        )

    def answer(
        self, status: int, body: bytes = b"", headers: dict[str, str] | None = None, etag: str = ""
    ) -> None:
        """Head and body in one write: two would wait for each other."""
        lines = {"Content-Length": str(len(body)), "ETag": etag or etag_of(body)} | (headers or {})
        lines |= {"Last-Modified": "Mon, 12 Jan 2026 10:00:00 GMT"}
        head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
        self.wfile.write(f"HTTP/1.1 {status} .\r\n{head}\r\n".encode() + body)

    def log_message(self, *_: object) -> None:
        """Quiet."""


def etag_of(data: bytes) -> str:
    """As good as S3's for telling values apart."""
    return f'"{hash(data) & 0xFFFFFFFF:032x}"'


@pytest.fixture
def lax_s3(monkeypatch: pytest.MonkeyPatch) -> Iterator[LaxS3]:
    """The S3-like server, with this process's environment pointing at it."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    with LaxS3() as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL", server.url)
        monkeypatch.setenv("AWS_ACCESS_KEY_ID", "any")
        monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "any")
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        yield server
        server.shutdown()
        thread.join()

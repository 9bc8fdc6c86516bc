"""AWS Batch does not answer: a run that nobody could submit says so before Lambda ends the function."""

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from coldpress import runs
from coldpress.errors import Unavailable
from coldpress.jobs import batch
from coldpress.jobs.start import start
from coldpress.store import Store

from ...support import cloudformation

STORE_SECONDS = 10
"""For the two writes of the record and for a cold start, out of a function's time."""


@pytest.fixture(autouse=True)
def account(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "a")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")


@pytest.fixture
def silent(monkeypatch: pytest.MonkeyPatch) -> Iterator[socket.socket]:
    """In AWS Batch's place: the kernel connects whoever comes, and nobody ever answers."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", f"http://127.0.0.1:{server.getsockname()[1]}")
        yield server


def connections(server: socket.socket) -> int:
    """How many came."""
    server.setblocking(False)
    count = 0
    while True:
        try:
            server.accept()[0].close()
        except BlockingIOError:
            return count
        count += 1


def test_all_tries_fit_into_a_functions_time() -> None:
    config = batch._client().meta.config
    tries = config.retries["total_max_attempts"]
    # Botocore's standard mode pauses for 1 s at most before the second try, for 2 s before the third.
    pauses = sum(2**number for number in range(tries - 1))
    worst = tries * (config.connect_timeout + config.read_timeout) + pauses
    for function in ("ApiFunction", "TrainFunction"):
        timeout = cloudformation.source()["Resources"][function]["Properties"]["Timeout"]
        assert worst + STORE_SECONDS <= timeout, function


def test_a_batch_that_never_answers_fails_the_run(
    silent: socket.socket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batch, "READ_SECONDS", 0.1)
    store, ordered = Store(f"file://{tmp_path}/objects"), runs.order("text-classifier")
    with pytest.raises(Unavailable, match="AWS Batch: Read timeout"):
        start(store, ordered, batch.Batch("coldpress-dev"))
    told = runs.read(store, ordered.id)
    assert told.state == "failed"
    assert told.reason.startswith("could not be submitted: AWS Batch: Read timeout")
    assert connections(silent) == batch.TRIES

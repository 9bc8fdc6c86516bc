"""The real server process on a small application, told by its folder."""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import chdir, contextmanager
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest

from coldpress_ops import serverprocess
from coldpress_ops.serverprocess import ServerProcess

APPLICATION = Path(__file__).parent / "application"
T = TypeVar("T")


@contextmanager
def served(state: Path) -> Iterator[ServerProcess]:
    with chdir(APPLICATION):
        server = serverprocess.start(state)
    try:
        yield server
    finally:
        server.stop()


def eventually(condition: Callable[[], T], seconds: float = 15) -> T:
    """What `condition` returns, once that is true."""
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "did not come true in time"
        time.sleep(0.02)
    return found


def deliveries(state: Path) -> list[dict[str, Any]]:
    """What the function `Take` was given."""
    path = state / "objects" / "deliveries"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ServerProcess]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("AWS_SECRET_ACCESS_KEY", "must not reach a function")
        patch.setenv("COLDPRESS_MAX_MODEL_BYTES", "1000000")
        with served(tmp_path_factory.mktemp("state")) as server:
            yield server


@pytest.fixture
def http(server: ServerProcess) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=server.url, timeout=30) as client:
        yield client

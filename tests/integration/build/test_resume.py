"""A fit that is interrupted at any moment, by real signals to real processes, ends with the same weights."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from coldpress.jobs import RETRY_EXIT

from ...support import seaweedfs

STEPS, STEPS_PER_EPOCH = 39, 13


def interrupted(url: str, name: str, seed: int, variables: dict[str, str]) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, Path(__file__).with_name("interrupted.py"), url, name, str(seed)],
        env=seaweedfs.without_aws() | variables,
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


@pytest.fixture(scope="module")
def seed() -> int:
    """Another one each time; a failure tells it."""
    return int.from_bytes(os.urandom(3), "big")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory, seed: int) -> dict[str, Any]:
    return interrupted(f"file://{tmp_path_factory.mktemp('killed')}", "SIGKILL", seed, {})


@pytest.fixture(scope="module")
def terminated(tmp_path_factory: pytest.TempPathFactory, seed: int) -> Iterator[dict[str, Any]]:
    with seaweedfs.running(tmp_path_factory.mktemp("weed")) as endpoint:
        url = seaweedfs.new_bucket(endpoint)
        yield interrupted(url, "SIGTERM", seed, seaweedfs.variables(endpoint))


def check(found: dict[str, Any]) -> None:
    assert found["pieced"] == found["whole"], found
    assert found["statuses"][-1] == 0
    assert found["steps"] == sorted(found["steps"])
    assert found["steps"][-1] == STEPS
    # The newest two, and what says so; nothing of what was killed half-way.
    assert len(found["kept"]) == 3, found
    assert found["kept"][-1] == "fit/latest.json"


def test_killed_again_and_again_it_ends_with_the_same_weights(killed: dict[str, Any]) -> None:
    check(killed)
    assert killed["statuses"].count(-9) > 1
    assert any(0 < step < STEPS and step % STEPS_PER_EPOCH for step in killed["steps"]), killed


def test_terminated_again_and_again_it_ends_with_the_same_weights(terminated: dict[str, Any]) -> None:
    check(terminated)
    assert set(terminated["statuses"]) == {RETRY_EXIT, 0}, terminated
    assert any(0 < step < STEPS and step % STEPS_PER_EPOCH for step in terminated["steps"]), terminated

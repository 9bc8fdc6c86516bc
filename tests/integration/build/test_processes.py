"""Two processes that train one network together, started by torchrun."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from coldpress_build.checkpoints import Checkpoints

from . import divided

TOLERANCE = 1e-5
"""Sums in another order; after three epochs, 1e-7 is what was seen."""
Found = dict[str, Any]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("processes")


@pytest.fixture(scope="module")
def two(folder: Path) -> list[Found]:
    """What each of two processes found."""
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node=2", "--standalone"]
    done = subprocess.run(
        [*torchrun, str(Path(__file__).with_name("divided.py")), str(folder)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((folder / f"{rank}.json").read_text()) for rank in (0, 1)]


@pytest.fixture(scope="module")
def one() -> Found:
    return divided.fitted("ddp")


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_two_processes_have_the_loss_curve_of_one(two: list[Found], one: Found, strategy: str) -> None:
    for process in two:
        assert process[strategy]["losses"] == [pytest.approx(epoch, abs=TOLERANCE) for epoch in one["losses"]]
    assert len(one["losses"]) == 3
    assert one["losses"][-1][1] < one["losses"][0][1] - 0.05
    assert two[0][strategy]["weights"] == two[1][strategy]["weights"]


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_each_row_is_read_by_one_process_once_an_epoch(two: list[Found], strategy: str) -> None:
    first, second = (process[strategy]["read"] for process in two)
    assert sorted(first + second) == sorted([*range(divided.ROWS)] * 3)
    assert abs(len(first) - len(second)) <= 3 * 7


@pytest.mark.parametrize("strategy", ["ddp", "fsdp"])
def test_one_process_goes_on_from_the_checkpoint_of_two(
    two: list[Found], one: Found, folder: Path, strategy: str
) -> None:
    assert len(two) == 2
    resumed = divided.fitted("auto", Checkpoints(f"file://{folder}", strategy))
    # The checkpoint is of step 10, in the second epoch: what one process read since then.
    assert len(resumed["read"]) < 2 * divided.ROWS
    assert resumed["losses"] == [pytest.approx(epoch, abs=TOLERANCE) for epoch in one["losses"]]

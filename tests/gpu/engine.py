"""The training engine on a GPU: precisions and torch.compile against float32; run by hand where there is one.

    python tests/gpu/engine.py
    torchrun --nproc-per-node 2 tests/gpu/engine.py    # two GPUs: DDP, and FSDP too

Prints a line of JSON for each way to compute: seconds, rows a second, the losses, and how far the last
validation loss is from float32's; exit status 1 when one is further than it may be, or when a finished fit is
not found again by its checkpoint. On a CPU it does what a CPU can do.
"""

import argparse
import json
import sys
import tempfile
from time import perf_counter
from typing import Any

import torch
from torch import nn

from coldpress_build.checkpoints import Checkpoints
from coldpress_build.data.batches import Batches
from coldpress_build.engine import Training, fit
from coldpress_build.progress import Progress
from coldpress_build.training.processes import launched, together

TOLERANCE = 0.02
"""Of the validation loss: bf16 has 8 bits, and the losses of this problem end near 0.1."""


def rows(count: int, seed: int) -> Batches:
    """Points in 64 dimensions, of four classes by the signs of two sums."""
    points = torch.randn(count, 64, generator=torch.Generator().manual_seed(seed))
    target = (points[:, :32].sum(1) > 0).long() + 2 * (points[:, 32:].sum(1) > 0).long()
    return Batches(points, target)


def measured(width: int, count: int, changes: dict[str, Any]) -> dict[str, Any]:
    """One fit, and its checkpoint gone on with."""
    how = Training(**{"epochs": 4, "batch_size": 512, "learning_rate": 1e-3, "average": 0.9} | changes)
    torch.manual_seed(0)
    network = nn.Sequential(
        nn.Linear(64, width), nn.ReLU(), nn.Linear(width, width), nn.ReLU(), nn.Linear(width, 4)
    )
    train, validation, quiet = rows(count, 1), rows(count // 8, 2), Progress(silent=True)
    with tempfile.TemporaryDirectory() as folder:
        kept = Checkpoints(f"file://{folder}", "fit")
        started = perf_counter()
        done = fit(network, train, validation, how, 0, quiet, classes=4, checkpoints=kept)
        seconds = perf_counter() - started
        again = fit(network, train, validation, how, 0, quiet, classes=4, checkpoints=kept)
    losses = [epoch.validation_loss for epoch in done.epochs]
    same = again.epochs == done.epochs
    return {"seconds": seconds, "rows_per_second": 4 * count / seconds, "losses": losses, "kept": same}


def main() -> int:
    """See above."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--width", type=int, default=2048, help="Of the hidden layers.")
    parser.add_argument("--rows", type=int, default=65_536, help="Of the training part.")
    parser.add_argument("--no-compile", action="store_true", help="Leave torch.compile out.")
    given = parser.parse_args()
    ways: dict[str, dict[str, Any]] = {"32": {}, "32 again": {}, "bf16": {"precision": "bf16"}}
    if torch.cuda.is_available():
        ways["fp16"] = {"precision": "fp16"}
    if not given.no_compile:
        ways["bf16, compiled"] = {"precision": "bf16", "compile": True}
    if launched():
        ways["fsdp"] = {"strategy": "fsdp"}
    bad = 0
    with together() as world:
        exact = measured(given.width, given.rows, ways.pop("32"))
        for name, changes in ways.items():
            found = measured(given.width, given.rows, changes)
            apart = abs(found["losses"][-1] - exact["losses"][-1])
            good = found["kept"] and apart <= (0.0 if name == "32 again" else TOLERANCE)
            bad += not good
            if world.first:
                line = {"way": name, "device": str(world.device), "apart": apart, "good": good}
                print(json.dumps(line | found), flush=True)
    return int(bad > 0)


if __name__ == "__main__":
    sys.exit(main())

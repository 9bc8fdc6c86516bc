"""A program for test_processes.py, under torchrun or without: fits the same network as DDP and as FSDP.

divided.py FOLDER: each process writes FOLDER/{rank}.json, the losses of each fit and the rows that it read.
In a second pass, the fits stop half-way with a checkpoint in FOLDER, for others to go on from.
"""

import hashlib
import json
import os
import sys
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from coldpress_build.checkpoints import Checkpoints
from coldpress_build.data.batches import Batch, Batches
from coldpress_build.engine import Epoch, Training, fit
from coldpress_build.progress import Progress
from coldpress_build.training.processes import together
from coldpress_build.training.tracking.tracker import NOWHERE, Watching

# 101 rows in steps of 16: the last is of 5, which two processes cannot share equally.
HOW = Training(
    epochs=3, batch_size=8, accumulate=2, learning_rate=0.02, average=0.8, patience=3, checkpoint_seconds=0,
    checkpoint_steps=5,
)  # fmt: skip
ROWS = 101


class Network(nn.Module):
    """Points [batch, 3] -> logits [batch, 3], through layers that FSDP divides one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Linear(3, 12)
        self.layers = nn.ModuleList([nn.Linear(12, 12), nn.Linear(12, 12)])
        self.last = nn.Linear(12, 3)

    def forward(self, points: Tensor) -> Tensor:
        hidden = self.first(points).relu()
        for layer in self.layers:
            hidden = hidden + layer(hidden).relu()
        logits: Tensor = self.last(hidden)
        return logits


class Watched(Batches):
    """Remembers which rows were read."""

    read: list[int]

    def __getitem__(self, rows: list[int]) -> Batch:
        self.read = [*getattr(self, "read", []), *rows]
        return super().__getitem__(rows)


class Enough(Exception):
    """The second of three epochs is over."""


def stop(epoch: Epoch) -> None:
    """Ends a fit half-way."""
    if epoch.number == 2:
        raise Enough


def fitted(strategy: str, checkpoints: Checkpoints | None = None, half: bool = False) -> dict[str, object]:
    """The losses and a digest of the weights."""
    points = torch.randn(ROWS, 3, generator=torch.Generator().manual_seed(1))
    rows = Watched(points, (points[:, 0] > 0).long() + (points[:, 1] > 0).long())
    torch.manual_seed(0)
    network, how = Network(), replace(HOW, strategy=strategy)
    done = fit(
        network, rows, Batches(points, rows.target), how, 0, Progress(silent=True), classes=3,
        checkpoints=checkpoints, tracker=Watching(stop) if half else NOWHERE,
    )  # fmt: skip
    digest = hashlib.sha256(b"".join(value.numpy().tobytes() for value in network.state_dict().values()))
    losses = [[epoch.train_loss, epoch.validation_loss] for epoch in done.epochs]
    return {"losses": losses, "read": getattr(rows, "read", []), "weights": digest.hexdigest()}


def main(folder: str) -> None:
    """See above."""
    with together() as world:
        found = {strategy: fitted(strategy) for strategy in ("ddp", "fsdp")}
        for strategy in found:
            try:
                fitted(strategy, Checkpoints(f"file://{folder}", strategy), half=True)
            except Enough:
                world.wait()
        Path(folder, f"{os.environ.get('RANK', '0')}.json").write_text(json.dumps(found))


if __name__ == "__main__":
    main(sys.argv[1])

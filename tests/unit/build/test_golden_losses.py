"""Golden losses: a change of the engine that is meant to change nothing must leave these alone.

`COLDPRESS_GOLDEN=write` writes the file anew, which is only right where the losses were meant to change.
"""

import json
import os
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from coldpress_build.data.batches import Batches
from coldpress_build.engine import Training, fit
from coldpress_build.progress import Progress

GOLDEN = Path(__file__).with_name("golden") / "losses.json"
# Sums in another order, as another processor or release of torch may make them, differ by 1e-6 after so few
# steps; another seed, order of rows, schedule or forgotten clip by 1e-2 and more.
TOLERANCE = 1e-4

ADAMW: dict[str, Any] = {"optimiser": "adamw", "learning_rate": 0.01}
CASES: dict[str, dict[str, Any]] = {
    "adamw": ADAMW,
    "adam": {"optimiser": "adam", "learning_rate": 0.01},
    "rmsprop": {"optimiser": "rmsprop", "learning_rate": 0.005},
    "momentum": {"optimiser": "momentum", "learning_rate": 0.05},
    "sgd": {"optimiser": "sgd", "learning_rate": 0.3},
    "cosine, warm-up": ADAMW | {"schedule": "cosine", "warm_up": 0.25},
    "linear": ADAMW | {"schedule": "linear"},
    "step": ADAMW | {"schedule": "step", "drop_epochs": 1, "drop": 0.5},
    "plateau": {
        "optimiser": "sgd",
        "learning_rate": 8.0,
        "schedule": "plateau",
        "drop_epochs": 1,
        "drop": 0.1,
    },
    "accumulate": ADAMW | {"batch_size": 8, "accumulate": 2},
    "bce": ADAMW | {"loss": "bce"},
    "balanced": ADAMW | {"class_weights": "balanced"},
    "no average": ADAMW | {"average": 0.0},
    "bf16": ADAMW | {"precision": "bf16"},
    "values": ADAMW | {"classes": 0},
}


def rows(count: int, seed: int, classes: int) -> Batches:
    """Points in the plane; a ring of a third of them is the second class, the distance the value."""
    points = torch.randn(count, 2, generator=torch.Generator().manual_seed(seed))
    distance = points.norm(dim=1)
    return Batches(points, (distance > 1.5).long() if classes else distance)


def losses(changes: dict[str, Any]) -> list[list[float]]:
    """[training, validation] of each epoch."""
    classes = changes.get("classes", 2)
    settings = {name: value for name, value in changes.items() if name != "classes"}
    how = Training(**{"epochs": 4, "batch_size": 16, "average": 0.8} | settings)
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(2, 16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, classes or 1))
    if not classes:
        network.append(nn.Flatten(0))
    run = fit(
        network, rows(100, 1, classes), rows(50, 2, classes), how, 0, Progress(silent=True), classes=classes
    )
    return [[epoch.train_loss, epoch.validation_loss] for epoch in run.epochs]


@pytest.mark.parametrize("name", CASES)
def test_losses_are_the_golden_ones(name: str) -> None:
    found = losses(CASES[name])
    if os.environ.get("COLDPRESS_GOLDEN") == "write":
        kept = json.loads(GOLDEN.read_text()) if GOLDEN.exists() else {}
        rounded = [[round(loss, 7) for loss in epoch] for epoch in found]
        GOLDEN.parent.mkdir(exist_ok=True)
        GOLDEN.write_text(json.dumps(kept | {name: rounded}, indent=1) + "\n")
    expected = json.loads(GOLDEN.read_text())[name]
    assert found == [pytest.approx(epoch, abs=TOLERANCE) for epoch in expected]


def test_the_cases_differ_where_they_should() -> None:
    golden = json.loads(GOLDEN.read_text())
    assert golden.keys() == CASES.keys()
    # Half the rows twice are the rows, and two logits' cross-entropy is that of their difference.
    for same in ("accumulate", "bce"):
        assert golden.pop(same) == [pytest.approx(epoch, abs=1e-6) for epoch in golden["adamw"]]
    last = sorted(tuple(curve[-1]) for curve in golden.values())
    assert all(max(abs(a - b) for a, b in zip(*pair, strict=True)) > TOLERANCE for pair in pairwise(last))


def test_the_plateau_lowers_the_rate_when_nothing_gets_better() -> None:
    golden = json.loads(GOLDEN.read_text())["plateau"]
    steady = losses({name: value for name, value in CASES["plateau"].items() if name != "schedule"})
    assert golden[0] == pytest.approx(steady[0], abs=TOLERANCE)
    assert golden[-1] != pytest.approx(steady[-1], abs=TOLERANCE)

"""A recipe that learns in milliseconds: y from x, by one linear layer; and a sweep of it as a process."""

import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.linear_model import LogisticRegression, Ridge
from torch import nn

from coldpress_build.baseline import Baseline, fitted
from coldpress_build.data.batches import Batches
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts
from coldpress_build.progress import Progress
from coldpress_build.recipes.recipe import Prepared
from coldpress_build.recipes.settings import Settings
from coldpress_build.search import Choice, LogUniform, OneOf, Uniform
from coldpress_build.sweep import Plan, sweep


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Poor to begin with, so that a sweep finds better."""

    space: ClassVar[Mapping[str, Choice]] = {
        "learning_rate": LogUniform(1e-4, 1.0),
        "width": OneOf(1, 4),
        "weight_decay": Uniform(0.0, 0.1),
    }
    learning_rate: float = 1e-4
    epochs: int = 4
    batch_size: int = 16
    average: float = 0.0
    width: int = 1
    layers: tuple[int, ...] = ()
    """Not used: a list to search."""
    poison: float = 0.0
    """More than 0 makes every loss infinite."""
    validation: float = 0.2
    test: float = 0.2


@dataclass
class Toy:
    """`seen` has the parts of each `prepare`, `pause` makes each of them take a while."""

    name = "toy"
    summary = "y from x"
    config = Config
    seen: list[Parts] = field(default_factory=list)
    pause: float = 0.0
    told: bool = False

    def load(self, source: str | None, config: Config) -> Dataset:
        """Values, or two classes for `source` "classes"."""
        del config
        return rows(classes=source == "classes")

    def split(self, data: Dataset, config: Config) -> Parts:
        """As every recipe."""
        return config.parts(data)

    def baseline(self, parts: Parts) -> Baseline:
        """scikit-learn's line."""
        model = LogisticRegression() if parts.train.classes else Ridge()
        return fitted("a line", model, parts, lambda data: data.columns["x"])

    def prepare(self, parts: Parts, config: Config) -> Prepared:
        """One linear layer on standardised columns."""
        self.seen.append(parts)
        if self.told:
            print("prepared", flush=True)
        time.sleep(self.pause)
        mean, scale = parts.train.columns["x"].mean(0), parts.train.columns["x"].std(0)
        classes = parts.train.classes

        def batches(data: Dataset) -> Batches:
            x = torch.from_numpy(((data.columns["x"] - mean) / scale).astype(np.float32))
            return Batches(x, torch.from_numpy(data.target))

        def build(scaled: float) -> nn.Module:
            hidden = nn.Linear(len(mean), int(config.width * scaled))
            if config.poison:
                nn.init.constant_(hidden.weight, float("inf"))
            return nn.Sequential(
                hidden, nn.Linear(config.width, len(classes) or 1), nn.Flatten(-2 + bool(classes))
            )

        def graph(network: nn.Module) -> Any:
            raise NotImplementedError(network)  # it is never exported

        return Prepared(build, batches, lambda data: data.columns, graph, {})


def rows(count: int = 120, *, classes: bool = False) -> Dataset:
    """x [rows, 3] and what a plane through it says, with some noise; `row` numbers them."""
    generator = np.random.default_rng(0)
    x = generator.normal(size=(count, 3)).astype(np.float32)
    y = x @ np.array([1.0, -2.0, 0.5]) + generator.normal(size=count) * 0.1
    columns = {"x": x, "row": np.arange(count)}
    if classes:
        return Dataset.labelled("toy", columns, ["up" if value > 0 else "down" for value in y])
    return Dataset.valued("toy", columns, y)


def main(folder: str, trials: str) -> None:
    """Sweep in this process; each trial is told on stdout when it begins, and takes a while then."""
    kind, config = Toy(pause=0.3, told=True), Config()
    parts = kind.split(kind.load(None, config), config)
    sweep(kind, parts, config, Plan(int(trials), Path(folder)), Progress(silent=True))


if __name__ == "__main__":
    main(*sys.argv[1:])

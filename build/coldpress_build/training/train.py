"""All fits of a run, and the one that is kept."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from coldpress_build.checkpoints import Checkpoints
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts
from coldpress_build.progress import Progress
from coldpress_build.training import processes
from coldpress_build.training.fit import fit
from coldpress_build.training.results import Epoch, Fit
from coldpress_build.training.tracking.tracker import NOWHERE, Several, Tracker, Watching

if TYPE_CHECKING:
    from coldpress_build.recipes.recipe import Prepared


@dataclass(frozen=True)
class Trained:
    """A fitted network. `fits` holds every run, `chosen` is the one that `network` is of."""

    fits: tuple[Fit, ...]
    chosen: Fit
    parameters: int
    network: nn.Module
    prepared: "Prepared"

    def scores(self, data: Dataset) -> NDArray[np.float32]:
        """What the training framework answers: scores [rows, classes] that sum to 1, or values [rows]."""
        batches = self.prepared.batches(data).loader(256)
        with torch.inference_mode():
            answers = torch.cat([self.network(*inputs) for inputs, _ in batches])
            if data.classes:
                answers = answers.softmax(-1)
            else:
                answers = answers * self.prepared.factor + self.prepared.shift
        return np.asarray(answers.numpy(), np.float32)


def train(
    prepared: "Prepared",
    parts: Parts,
    config: Any,
    progress: Progress,
    checkpoints: Checkpoints | None = None,
    *,
    tracker: Tracker = NOWHERE,
    watch: Callable[[Epoch], None] | None = None,
) -> Trained:
    """Fit `config.restarts` networks and keep the one with the lowest validation loss.

    `config` is a recipe's (`recipes.settings.Settings`). The test part is not looked at. `watch` hears of
    each epoch; what it raises ends the training. With `checkpoints`, an interrupted training goes on where it
    was. Under torchrun all processes must call this, and only the first one's network is sure to be whole.

    Raises:
        BuildError: see `fit`.
    """
    rows, validation = prepared.batches(parts.train), prepared.batches(parts.validation)
    told = Several(tracker, Watching(watch)) if watch else tracker
    runs: list[tuple[Fit, nn.Module]] = []
    with torch.random.fork_rng(devices=[]), processes.together(config.device):
        for seed in range(config.seed, config.seed + config.restarts):
            torch.manual_seed(seed)
            network = prepared.build(1.0)
            done = fit(
                network,
                rows,
                validation,
                config,
                seed,
                progress,
                classes=len(parts.train.classes),
                checkpoints=checkpoints.within(f"seed-{seed}") if checkpoints else None,
                tracker=told,
            )
            runs.append((done, network))
    chosen, network = min(runs, key=lambda run: run[0].best.validation_loss)
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Trained(tuple(run for run, _ in runs), chosen, parameters, network, prepared)

"""Optimisers and what happens to their learning rate."""

import math
from collections.abc import Callable, Iterable

from torch import Tensor
from torch.optim import SGD, Adam, AdamW, Optimizer, RMSprop
from torch.optim.lr_scheduler import LambdaLR, ReduceLROnPlateau

from coldpress_build.training.settings import Training


def optimiser(parameters: Iterable[Tensor], how: Training) -> Optimizer:
    """The one that `how.optimiser` names, with torch's own defaults for all that is no setting."""
    rate, decay = how.learning_rate, how.weight_decay
    make: dict[str, Callable[[], Optimizer]] = {
        "adamw": lambda: AdamW(parameters, lr=rate, weight_decay=decay),
        "adam": lambda: Adam(parameters, lr=rate, weight_decay=decay),
        "rmsprop": lambda: RMSprop(parameters, lr=rate, weight_decay=decay),
        "momentum": lambda: SGD(parameters, lr=rate, weight_decay=decay, momentum=how.momentum),
        "sgd": lambda: SGD(parameters, lr=rate, weight_decay=decay),
    }
    return make[how.optimiser]()


class Schedule:
    """The learning rate by step, or by validation loss."""

    def __init__(self, chosen: Optimizer, how: Training, steps_per_epoch: int) -> None:
        self._plateau: ReduceLROnPlateau | None = None
        self._by_step: LambdaLR | None = None
        if how.schedule == "plateau":
            # torch's patience is the epochs that are forgiven, ours the one in which it happens.
            self._plateau = ReduceLROnPlateau(chosen, factor=how.drop, patience=how.drop_epochs - 1)
        else:
            self._by_step = LambdaLR(chosen, share_of(how, steps_per_epoch))
        self._optimiser = chosen

    @property
    def rate(self) -> float:
        """The next step's."""
        return float(self._optimiser.param_groups[0]["lr"])

    def stepped(self) -> None:
        """After each step."""
        if self._by_step:
            self._by_step.step()

    def validated(self, loss: float) -> None:
        """After each epoch."""
        if self._plateau:
            self._plateau.step(loss)

    def state(self) -> dict[str, object]:
        """For a checkpoint."""
        kept = (self._plateau or self._by_step).state_dict()  # type: ignore[union-attr]
        return {name: value for name, value in kept.items() if name != "lr_lambdas"}

    def restore(self, state: dict[str, object]) -> None:
        """Go on from there."""
        if self._plateau:
            self._plateau.load_state_dict(state)
        elif self._by_step:
            self._by_step.load_state_dict(state | {"lr_lambdas": [None]})


def share_of(how: Training, steps_per_epoch: int) -> Callable[[int], float]:
    """Step, from 0 -> the share of `learning_rate` that it gets.

    Cosine: half a wave from 1 to 0 (Loshchilov and Hutter, SGDR, 2017, without restarts).
    """
    steps = how.epochs * steps_per_epoch
    warm = round(how.warm_up * steps)

    def share(step: int) -> float:
        if step < warm:
            return (step + 1) / warm
        done = (step - warm) / max(steps - warm, 1)
        if how.schedule == "cosine":
            return (1 + math.cos(math.pi * min(done, 1.0))) / 2
        if how.schedule == "linear":
            return max(1.0 - done, 0.0)
        if how.schedule == "step":
            return float(how.drop ** (step // (how.drop_epochs * steps_per_epoch)))
        return 1.0

    return share

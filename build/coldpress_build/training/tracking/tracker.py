"""What is told of a fit while it runs, and to whom."""

from collections.abc import Callable
from typing import Protocol

from coldpress_build.training.results import Epoch


class Tracker(Protocol):
    """Takes figures; `seed` tells the fits of one run apart. After an interruption, epochs are told again."""

    def step(self, seed: int, step: int, loss: float, rate: float) -> None:
        """Now and then: the mean training loss of the epoch so far, and the learning rate."""

    def epoch(self, seed: int, epoch: Epoch) -> None:
        """Each epoch."""

    def close(self) -> None:
        """All is told."""


class Several:
    """Tells all of them; none of them is as good as no tracker."""

    def __init__(self, *trackers: Tracker) -> None:
        self._trackers = trackers

    def step(self, seed: int, step: int, loss: float, rate: float) -> None:
        """See `Tracker`."""
        for tracker in self._trackers:
            tracker.step(seed, step, loss, rate)

    def epoch(self, seed: int, epoch: Epoch) -> None:
        """See `Tracker`."""
        for tracker in self._trackers:
            tracker.epoch(seed, epoch)

    def close(self) -> None:
        """See `Tracker`."""
        for tracker in self._trackers:
            tracker.close()


class Watching:
    """Tells a function of each epoch; what it raises ends the fit."""

    def __init__(self, watch: Callable[[Epoch], None]) -> None:
        self._watch = watch

    def step(self, seed: int, step: int, loss: float, rate: float) -> None:
        """Not of steps."""

    def epoch(self, seed: int, epoch: Epoch) -> None:  # noqa: ARG002
        """See `Tracker`."""
        self._watch(epoch)

    def close(self) -> None:
        """Nothing to do."""


NOWHERE: Tracker = Several()

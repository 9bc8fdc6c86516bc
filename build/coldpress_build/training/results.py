"""What a fit came to."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Epoch:
    """Mean losses by row (cross-entropy in nats; or the squared error, where a regression's target has the
    variance 1) and what else was measured on the validation rows: "accuracy" (share that is right) or "R²".

    `step` counts the optimiser's steps so far, `learning_rate` is the next one's.
    """

    number: int
    train_loss: float
    validation_loss: float
    metrics: Mapping[str, float]
    step: int = 0
    learning_rate: float = 0.0

    @property
    def words(self) -> str:
        """For a person who watches."""
        told = ", ".join(f"{name} {value:.3f}" for name, value in self.metrics.items())
        return f"validation loss {self.validation_loss:.4f}, {told}"


@dataclass(frozen=True)
class Fit:
    """One training run. The network has the weights of `best`. `seconds` are those of all its attempts."""

    seed: int
    best: Epoch
    epochs: tuple[Epoch, ...]
    seconds: float

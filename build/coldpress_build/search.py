"""What a sweep may try: the search space of a recipe, one entry a setting.

A recipe says `space = {"learning_rate": LogUniform(1e-4, 1e-2), "hidden": OneOf(32, 64, 128)}`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import optuna


class Choice(Protocol):
    """The values that one setting may take. `str()` of it is what a report says."""

    def draw(self, name: str, trial: "optuna.Trial") -> Any:
        """The value of the setting `name` in this trial."""


@dataclass(frozen=True)
class Uniform:
    """Any number from `low` to `high`."""

    low: float
    high: float

    def draw(self, name: str, trial: "optuna.Trial") -> float:
        """See `Choice`."""
        return trial.suggest_float(name, self.low, self.high)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class LogUniform:
    """Any number from `low` to `high`; each power of ten is as likely as the next."""

    low: float
    high: float

    def draw(self, name: str, trial: "optuna.Trial") -> float:
        """See `Choice`."""
        return trial.suggest_float(name, self.low, self.high, log=True)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, by its logarithm"


class OneOf:
    """One of these values."""

    def __init__(self, *values: float | int | str | bool) -> None:
        self.values = values

    def draw(self, name: str, trial: "optuna.Trial") -> Any:
        """See `Choice`."""
        return trial.suggest_categorical(name, self.values)

    def __str__(self) -> str:
        return f"one of {', '.join(map(str, self.values))}"


COMMON: dict[str, Choice] = {
    "learning_rate": LogUniform(3e-4, 3e-2),
    "weight_decay": LogUniform(1e-4, 1e-1),
    "batch_size": OneOf(32, 64, 128, 256),
}
"""What matters for every network."""

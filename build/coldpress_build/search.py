"""What a sweep may try: the search space of a recipe, one entry a setting.

A recipe says `space = {"learning_rate": LogUniform(1e-4, 1e-2), "hidden": OneOf(32, 64, 128)}`.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from coldpress_build.config import shown

if TYPE_CHECKING:
    import optuna


class Choice(Protocol):
    """The values that one setting may take. `str()` of it is what a report says."""

    def draw(self, name: str, trial: "optuna.Trial") -> Any:
        """The value of the setting `name` in this trial."""

    def read(self, kept: Any) -> Any:
        """The value that Optuna keeps as `kept`."""


@dataclass(frozen=True)
class Uniform:
    """Any number from `low` to `high`."""

    low: float
    high: float

    def draw(self, name: str, trial: "optuna.Trial") -> float:
        """See `Choice`."""
        return trial.suggest_float(name, self.low, self.high)

    def read(self, kept: float) -> float:
        """See `Choice`."""
        return kept

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

    def read(self, kept: float) -> float:
        """See `Choice`."""
        return kept

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}, by its logarithm"


class OneOf:
    """One of these values; of a list, a whole list is a value."""

    def __init__(self, *values: float | int | str | bool | tuple[int, ...]) -> None:
        self.values = values
        # Optuna keeps numbers and texts only.
        self._kept = {shown(value) if isinstance(value, tuple) else value: value for value in values}

    def draw(self, name: str, trial: "optuna.Trial") -> Any:
        """See `Choice`."""
        return self.read(trial.suggest_categorical(name, [*self._kept]))

    def read(self, kept: Any) -> Any:
        """See `Choice`."""
        return self._kept[kept]

    def __str__(self) -> str:
        return f"one of {' | '.join(map(shown, self.values))}"


COMMON: dict[str, Choice] = {
    "learning_rate": LogUniform(3e-4, 3e-2),
    "weight_decay": LogUniform(1e-4, 1e-1),
    "batch_size": OneOf(32, 64, 128, 256),
}
"""What matters for every network."""

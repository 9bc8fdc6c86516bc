"""The settings that all recipes share: how a network is fitted, and how the data is divided."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from coldpress_build.config import one_of, within
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts, split
from coldpress_build.engine import Training
from coldpress_build.search import COMMON, Choice

PRESS = ("fast", "auto", "full")


@dataclass(frozen=True, kw_only=True)
class Settings(Training):
    """Settings of a recipe; `--set name=value` overrides one."""

    space: ClassVar[Mapping[str, Choice]] = COMMON
    """What a sweep may try."""

    seed: int = 0
    """Of the split, and the first of the restarts."""
    restarts: int = 1
    """Fits from different seeds; the one with the lowest validation loss is kept."""
    target: str = ""
    """The column with the answers; empty: label or target, else the last one."""
    max_rows: int = 0
    """Use only so many rows of the data; 0: all."""
    validation: float = 0.1
    """Share of the rows that choose epoch, seed and candidate."""
    test: float = 0.1
    """Share of the rows that are only reported."""
    press: str = "fast"
    """fast: fewer bits, nothing is fitted anew (seconds). auto: pruned and distilled networks too, unless
    fewer bits alone made it small. full: all there is; each of them is fitted as long as the first."""
    temperature: float = 2.0
    """Of the answers that a pruned or distilled network learns from; higher tells more of wrong classes."""
    soft: float = 0.5
    """Share of those answers in its loss; the rest is the truth."""

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for a value out of range."""
        super().__post_init__()
        within(self, 0.01, 0.45, "validation", "test")
        within(self, 0, 2**31, "max_rows", "seed")
        within(self, 1, 10_000, "restarts")
        within(self, 0.1, 100.0, "temperature")
        within(self, 0.0, 1.0, "soft")
        one_of(self, "press", PRESS)

    def parts(self, data: Dataset) -> Parts:
        """`data`, divided by these shares and the seed. Raises `DataError`."""
        return split(data, self.validation, self.test, self.seed, self.max_rows)

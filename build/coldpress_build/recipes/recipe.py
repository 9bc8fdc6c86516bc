"""What every recipe offers to the pipeline."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import onnx
from numpy.typing import NDArray

from coldpress_build.baseline import Baseline
from coldpress_build.data.split import Parts
from coldpress_build.data.texts import LabelledTexts
from coldpress_build.engine import Fit
from coldpress_build.progress import Progress


@dataclass(frozen=True)
class Trained:
    """A fitted network, as the functions that the pipeline needs of it.

    `fits` holds every run, `chosen` is the one that the others below are of. `scores` gives float32
    [rows, classes] as the training framework computes them; `export` one ONNX graph with the inputs that
    `table` makes and the outputs `label` (string [batch]) and `scores` (float [batch, classes]).
    """

    fits: tuple[Fit, ...]
    chosen: Fit
    parameters: int
    scores: Callable[[LabelledTexts], NDArray[np.float32]]
    export: Callable[[], onnx.ModelProto]
    table: Callable[[LabelledTexts], Mapping[str, NDArray[Any]]]
    warm_up: Mapping[str, NDArray[Any]]
    """Inputs that do all of the graph's one-time work. They travel with the model: never rows of the data."""


class Recipe(Protocol):
    """One thing that can be trained. `config` is its frozen dataclass of settings, all with defaults."""

    name: str
    config: type[Any]

    def load(self, source: Path | None) -> LabelledTexts:
        """The data in `source`, or the recipe's own. Raises `DataError`."""

    def split(self, data: LabelledTexts, config: Any) -> Parts:
        """The parts that this configuration asks for. Raises `DataError`."""

    def baseline(self, parts: Parts) -> Baseline:
        """The simple model to beat, on the same parts."""

    def train(self, parts: Parts, config: Any, progress: Progress) -> Trained:
        """Fit on the training part, choose on the validation part; the test part is not looked at."""

"""What every recipe offers to the pipeline."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

import onnx
from torch import nn

from coldpress_build.baseline import Baseline
from coldpress_build.data.batches import Batches
from coldpress_build.data.dataset import Array, Dataset
from coldpress_build.data.split import Parts


@dataclass(frozen=True)
class Prepared:
    """What a recipe makes of data and settings before anything is fitted.

    A network answers logits [batch, classes]; or, in a regression, values [batch] of which the true ones are
    `shift + factor * answer`. `Batches` hold the target as the network answers it.
    """

    build: Callable[[float], nn.Module]
    """A fresh network; the number scales its hidden widths: 1.0 as configured, less for a student."""
    batches: Callable[[Dataset], Batches]
    """Rows as the tensors that the network is called with."""
    table: Callable[[Dataset], Mapping[str, Array]]
    """Rows as the inputs of the ONNX graph."""
    graph: Callable[[nn.Module], onnx.ModelProto]
    """A fitted network -> the whole graph, from raw inputs to `label` (string [batch]) and `scores` (float
    [batch, classes]), or `value` (float [batch]); the batch (and a length) may have any size."""
    warm_up: Mapping[str, Array]
    """Inputs that do all of the graph's one-time work. They travel with the model: never rows of the data."""
    shift: float = 0.0
    factor: float = 1.0
    longer: Callable[[Dataset], Dataset] | None = None
    """Rows -> rows of lengths that were never seen, where the graph takes a variable length."""


class Recipe(Protocol):
    """One thing that can be trained. `config` is its frozen dataclass of settings, all with defaults."""

    name: str
    config: type[Any]

    def load(self, source: str | None, config: Any) -> Dataset:
        """The data that `source` names, a file or a packaged set, or the recipe's own. Raises `DataError`."""

    def split(self, data: Dataset, config: Any) -> Parts:
        """The parts that this configuration asks for. Raises `DataError`."""

    def baseline(self, parts: Parts) -> Baseline:
        """The simple model to beat, on the same parts."""

    def prepare(self, parts: Parts, config: Any) -> Prepared:
        """All that is learned from the training part before a network is fitted to it."""

"""tabular-mlp: columns of a table -> hidden layers -> classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from coldpress_build.baseline import Baseline, table_baseline
from coldpress_build.config import one_of, within
from coldpress_build.data.batches import Batches
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.sources import load, read_rows
from coldpress_build.data.split import Parts
from coldpress_build.errors import ConfigurationError, DataError
from coldpress_build.recipes.features import Features, joined
from coldpress_build.recipes.perceptron import Perceptron
from coldpress_build.recipes.recipe import Prepared
from coldpress_build.recipes.settings import Settings
from coldpress_build.search import COMMON, Choice, OneOf, Uniform

INPUTS = ("columns", "matrix")


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of the recipes for tables; `--set name=value` overrides one."""

    space: ClassVar[Mapping[str, Choice]] = COMMON | {
        "dropout": Uniform(0.0, 0.6),
        "hidden": OneOf((32,), (64, 32), (128, 64), (256, 128, 64)),
    }

    epochs: int = 200
    batch_size: int = 32
    learning_rate: float = 1e-3
    average: float = 0.95
    patience: int = 25
    restarts: int = 3
    validation: float = 0.15
    test: float = 0.2
    hidden: tuple[int, ...] = (64, 32)
    """Widths of the hidden layers, such as 1000,500,250,100; empty: none, a linear model."""
    dropout: float = 0.3
    inputs: str = "columns"
    """columns: an input for each column, by its name; matrix: one, `features` [batch, n], of all columns in
    their order."""
    categories: tuple[str, ...] = ()
    """Columns whose numbers are names."""
    ignore: tuple[str, ...] = ()
    """Columns to leave out."""
    min_count: int = 3
    """Categories that occur less often in the training part are unknown."""
    hide: float = 0.05
    """Share of the categories hidden from each training step: unknown ones must mean something."""

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for a value out of range."""
        super().__post_init__()
        within(self, 0.0, 0.99, "dropout", "hide")
        within(self, 1, 1_000_000, "min_count")
        one_of(self, "inputs", INPUTS)
        if any(not 1 <= width <= 65_536 for width in self.hidden):
            raise ConfigurationError(f"hidden={self.hidden} must be widths from 1 to 65536, such as 64,32")


def load_rows(source: str | None, config: Config, recipe: str, default: str, *, values: bool) -> Dataset:
    """A file or a packaged set with the task that `values` says.

    Raises:
        DataError: see `sources.read_rows`; a packaged set of another task.
    """
    data = load(
        source or default,
        lambda path: read_rows(
            path, config.target, values=values, ignore=config.ignore, categories=config.categories
        ),
        target=config.target,
        ignore=config.ignore,
        categories=config.categories,
    )
    if bool(data.classes) == values or any(column.ndim > 2 for column in data.columns.values()):
        raise DataError(f"{data.name} is no data for {recipe}; {default} is")
    return joined(data) if config.inputs == "matrix" else data


def standardised(data: Dataset, shift: float, factor: float) -> Tensor:
    """The target as a network answers it."""
    return torch.from_numpy(data.target if data.classes else (data.target - shift) / factor)


def prepare(parts: Parts, config: Config, name: str) -> Prepared:
    """What both recipes for tables learn from the training part."""
    train = parts.train
    features = Features.learn(train, config.min_count)
    classes = len(train.classes)
    shift, factor = (0.0, 1.0) if classes else (float(train.target.mean()), float(train.target.std()))

    def build(scale: float) -> Perceptron:
        hidden = [max(1, round(scale * width)) for width in config.hidden]
        return Perceptron(features, hidden, classes, config.dropout, config.hide)

    return Prepared(
        build=build,
        batches=lambda data: Batches(features.tensors(data), standardised(data, shift, factor)),
        table=features.table,
        graph=lambda network: features.graph(network, train, name, shift, factor),
        warm_up=features.warm_up(train),
        shift=shift,
        factor=factor,
    )


class TabularMlp:
    """Learns which class a row of a table belongs to."""

    name = "tabular-mlp"
    config = Config

    def load(self, source: str | None, config: Config) -> Dataset:
        """A file with a column to answer, or a packaged set; iris without either."""
        return load_rows(source, config, self.name, "iris", values=False)

    def split(self, data: Dataset, config: Config) -> Parts:
        """By the configuration's shares and seed."""
        return config.parts(data)

    def baseline(self, parts: Parts) -> Baseline:
        """Logistic regression or gradient boosting, whichever is better on the validation part."""
        return table_baseline(parts)

    def prepare(self, parts: Parts, config: Config) -> Prepared:
        """Learn the columns of the training part."""
        return prepare(parts, config, "tabular_mlp")

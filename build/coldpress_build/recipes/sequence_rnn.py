"""sequence-rnn: sequences of different lengths -> recurrent layers -> classes."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import onnx
import torch
from torch import nn

from coldpress_build.baseline import Baseline, sequence_baseline
from coldpress_build.config import one_of, within
from coldpress_build.data import vowels
from coldpress_build.data.batches import Batches
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.sequences import read_sequences
from coldpress_build.data.sources import load
from coldpress_build.data.split import Parts
from coldpress_build.errors import DataError
from coldpress_build.export import Port, served_graph
from coldpress_build.recipes.recipe import Prepared
from coldpress_build.recipes.recurrent import KINDS, Recurrent
from coldpress_build.recipes.settings import Settings
from coldpress_build.search import COMMON, Choice, OneOf, Uniform


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of the recipe; `--set name=value` overrides one."""

    space: ClassVar[Mapping[str, Choice]] = COMMON | {
        "kind": OneOf("gru", "lstm"),
        "width": OneOf(32, 64, 128),
        "layers": OneOf(1, 2),
        "dropout": Uniform(0.0, 0.6),
    }

    epochs: int = 60
    batch_size: int = 32
    average: float = 0.95
    patience: int = 15
    validation: float = 0.15
    test: float = 0.2
    kind: str = "gru"
    """rnn, gru or lstm."""
    width: int = 64
    """Of each layer, and direction."""
    layers: int = 1
    both: bool = True
    """Read sequences backwards too."""
    dropout: float = 0.3

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for a value out of range."""
        super().__post_init__()
        one_of(self, "kind", tuple(KINDS))
        within(self, 1, 4096, "width")
        within(self, 1, 16, "layers")
        within(self, 0.0, 0.99, "dropout")


class SequenceRnn:
    """Learns which class a sequence belongs to."""

    name = "sequence-rnn"
    config = Config

    def load(self, source: str | None, config: Config) -> Dataset:
        """A file of sequences with a class each, or Japanese vowels."""
        data = load(
            source or vowels.NAME, lambda path: read_sequences(path, config.target), target=config.target
        )
        if list(data.columns) != ["sequence", "length"]:
            raise DataError(f"{data.name} is no data for {self.name}; {vowels.NAME} is")
        return data

    def split(self, data: Dataset, config: Config) -> Parts:
        """By the configuration's shares and seed."""
        return config.parts(data)

    def baseline(self, parts: Parts) -> Baseline:
        """Logistic regression on the mean and the spread of each channel."""
        return sequence_baseline(parts)

    def prepare(self, parts: Parts, config: Config) -> Prepared:
        """Learn the middle and the spread of each channel, over the steps of the training part."""
        train = parts.train
        own = np.arange(train.columns["sequence"].shape[1]) < train.columns["length"][:, None]
        steps = train.columns["sequence"][own].astype(np.float64)
        spread = steps.std(0)
        middle = torch.from_numpy(steps.mean(0).astype(np.float32))
        scale = torch.from_numpy(np.where(spread > 0, spread, 1.0).astype(np.float32))

        def build(share: float) -> nn.Module:
            width = max(1, round(share * config.width))
            return Recurrent(
                config.kind,
                middle,
                scale,
                width,
                config.layers,
                len(train.classes),
                config.dropout,
                both=config.both,
            )

        return Prepared(
            build=build,
            batches=_batches,
            table=lambda data: data.columns,
            graph=lambda network: _graph(network, train),
            warm_up={
                "sequence": np.tile(middle.numpy(), (2, 3, 1)),
                "length": np.array([3, 2], np.int64),
            },
            longer=_longer,
        )


def _batches(data: Dataset) -> Batches:
    sequence, length = (torch.from_numpy(data.columns[name]) for name in ("sequence", "length"))
    return Batches((sequence, length), torch.from_numpy(data.target), length)


def _longer(data: Dataset) -> Dataset:
    """Twice the time, with each sequence once more right behind itself."""
    sequence, length = data.columns["sequence"], data.columns["length"]
    found = np.zeros((len(data), 2 * sequence.shape[1] + 3, sequence.shape[2]), np.float32)
    for row, (values, steps) in enumerate(zip(sequence, length, strict=True)):
        found[row, : 2 * steps] = np.concatenate([values[:steps], values[:steps]])
    return replace(data, columns={"sequence": found, "length": 2 * length})


def _graph(network: nn.Module, train: Dataset) -> onnx.ModelProto:
    channels = train.columns["sequence"].shape[2]
    ports = [
        Port("sequence", torch.zeros(2, 7, channels), ("batch", "time", "")),
        Port("length", torch.tensor([7, 3]), ("batch",)),
    ]
    return served_graph(network, ports, train.classes, name="sequence_rnn")

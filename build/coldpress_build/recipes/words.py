"""What the recipes for text share: texts in, word ids to the network, one graph from raw text."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
import torch
from torch import nn

from coldpress_build.data import reviews
from coldpress_build.data.batches import Batches
from coldpress_build.data.dataset import Array, Dataset
from coldpress_build.data.sources import load, read_texts
from coldpress_build.errors import DataError
from coldpress_build.export import Port, served_graph
from coldpress_build.text.graph import text_graph
from coldpress_build.text.tokeniser import PAD, Tokeniser

WARM_UP = ("A text to begin with.", "And another, a little longer!")


def load_texts(source: str | None, target: str) -> Dataset:
    """A file with the columns `text` and `target`, or the movie review snippets."""
    data = load(source or reviews.NAME, lambda path: read_texts(path, target))
    if list(data.columns) != ["text"] or not data.classes:
        raise DataError(f"{data.name} has no texts with a class each; {reviews.NAME} has")
    return data


@dataclass(frozen=True)
class WordReader:
    """A tokeniser, learned from the training part, on each of the ways that a text can go."""

    tokeniser: Tokeniser

    @classmethod
    def learn(cls, train: Dataset, min_count: int, max_words: int) -> "WordReader":
        """The words that occur often enough in the column `text`."""
        texts = train.columns["text"].tolist()
        return cls(Tokeniser.learn(texts, min_count=min_count, max_words=max_words))

    def batches(self, data: Dataset) -> Batches:
        """Word ids, filled up with PAD."""
        ids = torch.from_numpy(self.tokeniser.batch(data.columns["text"].tolist()))
        return Batches(ids, torch.from_numpy(data.target), (ids != PAD).sum(1))

    def table(self, data: Dataset) -> Mapping[str, Array]:
        """The texts themselves: the graph has the tokeniser in it."""
        return {"text": data.columns["text"]}

    def longer(self, data: Dataset) -> Dataset:
        """Each text twice over."""
        texts = [f"{text} {text}" for text in data.columns["text"].tolist()]
        return replace(data, columns={"text": np.array(texts, object)})

    def graph(self, network: nn.Module, classes: Sequence[str], name: str) -> onnx.ModelProto:
        """`text` (string [batch]) -> `label` and `scores`."""
        ids = Port("ids", torch.ones(2, 7, dtype=torch.int64), ("batch", "words"))
        return served_graph(network, [ids], classes, name=name, front=text_graph(self.tokeniser))

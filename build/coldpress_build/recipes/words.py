"""What the recipes for text share: texts in, word ids to the network, one graph from raw text."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import onnx
import torch
from torch import nn

from coldpress_build.baseline import Baseline, text_baseline
from coldpress_build.data import reviews
from coldpress_build.data.batches import Batches
from coldpress_build.data.dataset import Array, Dataset
from coldpress_build.data.sources import load, read_texts
from coldpress_build.data.split import Parts
from coldpress_build.errors import DataError
from coldpress_build.export import Port, served_graph
from coldpress_build.recipes.recipe import Prepared
from coldpress_build.recipes.settings import Settings
from coldpress_build.text.graph import text_graph
from coldpress_build.text.tokeniser import PAD, Tokeniser

WARM_UP = ("A text to begin with.", "And another, a little longer!")


class TextRecipe:
    """What recipes for texts with a label each have in common (see `recipes.recipe.Recipe`)."""

    def load(self, source: str | None, config: Settings) -> Dataset:
        """A file with the columns `text` and `label`, or the movie review snippets."""
        data = load(
            source or reviews.NAME, lambda path: read_texts(path, config.target), target=config.target
        )
        if list(data.columns) != ["text"] or not data.classes:
            raise DataError(f"{data.name} has no texts with a class each; {reviews.NAME} has")
        return data

    def split(self, data: Dataset, config: Settings) -> Parts:
        """By the configuration's shares and seed."""
        return config.parts(data)

    def baseline(self, parts: Parts) -> Baseline:
        """TF-IDF and logistic regression."""
        return text_baseline(parts)


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

    def prepared(self, classes: Sequence[str], name: str, build: Callable[[float], nn.Module]) -> Prepared:
        """Networks that `build` makes, with this tokeniser before them in the graph `name`."""
        return Prepared(
            build=build,
            batches=self.batches,
            table=self.table,
            graph=lambda network: self.graph(network, classes, name),
            warm_up={"text": np.array(WARM_UP, object)},
            longer=self.longer,
        )

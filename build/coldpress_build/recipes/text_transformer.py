"""text-transformer: a small encoder over the words of a text -> classes."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from coldpress_build.config import within
from coldpress_build.data.split import Parts
from coldpress_build.errors import ConfigurationError
from coldpress_build.recipes.encoder import Encoder
from coldpress_build.recipes.recipe import Prepared
from coldpress_build.recipes.settings import Settings
from coldpress_build.recipes.words import TextRecipe, WordReader
from coldpress_build.search import COMMON, Choice, OneOf, Uniform


@dataclass(frozen=True, kw_only=True)
class Config(Settings):
    """Settings of the recipe; `--set name=value` overrides one."""

    space: ClassVar[Mapping[str, Choice]] = COMMON | {
        "width": OneOf(32, 64, 128),
        "layers": OneOf(1, 2, 3),
        "dropout": Uniform(0.1, 0.6),
        "word_dropout": Uniform(0.0, 0.4),
    }

    epochs: int = 8
    min_count: int = 2
    """Words that occur less often in the training part are unknown."""
    max_words: int = 64
    """Longest text that is read, in words. Memory grows with its square."""
    width: int = 64
    """Of each word, in all layers."""
    heads: int = 4
    layers: int = 1
    dropout: float = 0.5
    word_dropout: float = 0.1
    """Share of the words hidden from each training step: unknown words must mean something."""

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for a value out of range."""
        super().__post_init__()
        within(self, 0.0, 0.99, "dropout", "word_dropout")
        within(self, 1, 10_000, "min_count", "width")
        within(self, 1, 64, "heads", "layers")
        within(self, 2, 1024, "max_words")
        if self.width % self.heads:
            raise ConfigurationError(
                f"width={self.width} is no multiple of heads={self.heads}; good are width=64 and heads=4"
            )


class TextTransformer(TextRecipe):
    """Learns which class a text belongs to, from texts with a label each."""

    name = "text-transformer"
    config = Config

    def prepare(self, parts: Parts, config: Config) -> Prepared:
        """Learn the vocabulary of the training part."""
        classes = parts.train.classes
        reader = WordReader.learn(parts.train, config.min_count, config.max_words)

        def build(scale: float) -> nn.Module:
            width = max(1, round(scale * config.width / config.heads)) * config.heads
            return Encoder(
                reader.tokeniser.size,
                len(classes),
                positions=config.max_words,
                width=width,
                heads=config.heads,
                layers=config.layers,
                dropout=config.dropout,
                word_dropout=config.word_dropout,
            )

        return reader.prepared(classes, "text_transformer", build)

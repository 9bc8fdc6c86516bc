"""Text -> word ids, in Python. `graph` says the same in ONNX."""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from coldpress_build.text.rules import RULES

PAD = 0
"""The id of no word at all; it never counts."""
UNKNOWN = 1
"""The id of every word that is not in the vocabulary."""
FIRST = 2
SENTINEL = "\x02"
"""A word put before each text and read as PAD, so that the graph has a word to work on in an empty one."""


def words_of(text: str, max_words: int) -> list[str]:
    """The cleaned words of `text`, in order, of its first `max_words` - 1 stretches between spaces."""
    # Letter by letter, as in C: a dotted capital I becomes one letter, and sigma is the same at a word's end.
    lowered = text.lower() if text.isascii() else "".join(letter.lower()[0] for letter in text)
    words = re.split(" +", f"{SENTINEL} {lowered}", maxsplit=max_words)[:max_words]
    return [clean for word in words for clean in _clean(word)]


@lru_cache(1 << 16)
def _clean(word: str) -> tuple[str, ...]:
    words = [word]
    for rule in RULES:
        words = rule.words(words)
    return tuple(word for word in words if word not in ("", SENTINEL))


@dataclass(frozen=True)
class Tokeniser:
    """`vocabulary[i]` has the id i + FIRST."""

    vocabulary: tuple[str, ...]
    max_words: int

    @classmethod
    def learn(cls, texts: Iterable[str], *, min_count: int, max_words: int) -> "Tokeniser":
        """The words that occur at least `min_count` times in `texts`, sorted."""
        counts = Counter(word for text in texts for word in words_of(text, max_words))
        return cls(tuple(sorted(word for word, count in counts.items() if count >= min_count)), max_words)

    @property
    def size(self) -> int:
        """How many ids there are, PAD and UNKNOWN among them."""
        return FIRST + len(self.vocabulary)

    @cached_property
    def keys(self) -> Mapping[str, int]:
        """Every string that has an id of its own."""
        return {"": PAD, SENTINEL: PAD} | {word: FIRST + index for index, word in enumerate(self.vocabulary)}

    def ids(self, text: str) -> list[int]:
        """The ids of the words of `text`, in order."""
        return [self.keys.get(word, UNKNOWN) for word in words_of(text, self.max_words)]

    def batch(self, texts: Sequence[str]) -> NDArray[np.int64]:
        """The ids as [texts, longest], filled up with PAD; at least one column."""
        rows = [self.ids(text) for text in texts]
        batch = np.full((len(rows), max(map(len, rows), default=0) or 1), PAD, np.int64)
        for index, row in enumerate(rows):
            batch[index, : len(row)] = row
        return batch

"""How a word is cleaned: each rule once in Python and, beside it, the same in ONNX core operators.

ONNX has no regular expression that replaces. These rules need `StringConcat` and `StringSplit` (opset 20)
only. Measured with 9,000 words: they add 0.5 ms to loading the graph and 30 µs to a request. The other way,
one LabelEncoder key for each form ("word.", "word,", …), made the file 2 MB larger and took 29 ms to load.
"""

from dataclasses import dataclass
from typing import Protocol

from coldpress_build.text.nodes import Nodes


class Rule(Protocol):
    """`words` and `nodes` do the same; tests compare them on generated text and on the whole data set."""

    def words(self, words: list[str]) -> list[str]:
        """The words of one text, cleaned; empty ones may remain."""

    def nodes(self, graph: Nodes, words: str) -> str:
        """Adds the rule to `graph`; `words` names a string tensor [batch, words], and so does the result."""


@dataclass(frozen=True)
class Cut:
    """Ends each word before the first `mark` of itself and a mark put after it: "good." -> "good".

    (So a mark of two letters also takes the first of them from the end of a word: "ol'" -> "ol" for "''".)
    """

    mark: str

    def words(self, words: list[str]) -> list[str]:
        return [f"{word}{self.mark}".split(self.mark, 1)[0] for word in words]

    def nodes(self, graph: Nodes, words: str) -> str:
        return graph.gather(self._halves(graph, words), 0, axis=2)

    def _halves(self, graph: Nodes, words: str) -> str:
        # Without the mark added there would be one half where no word has any.
        return graph.split(graph.concat(words, graph.text(self.mark)), self.mark, 1)


@dataclass(frozen=True)
class Unquote(Cut):
    """Removes an opening `mark` and ends the word before the next one: "(good)" and "(good" -> "good"."""

    def words(self, words: list[str]) -> list[str]:
        return super().words(["".join(f"{word}{self.mark}".split(self.mark, 1)) for word in words])

    def nodes(self, graph: Nodes, words: str) -> str:
        halves = self._halves(graph, words)
        return super().nodes(
            graph, graph.concat(graph.gather(halves, 0, axis=2), graph.gather(halves, 1, axis=2))
        )


@dataclass(frozen=True)
class Divide:
    """Makes words of the parts between marks, at most `times` of them: "well-made" -> "well", "made".

    The graph's tensor grows by the most parts that a word of the batch has; empty words fill it up. So
    `times` bounds the memory that one odd word can take.
    """

    mark: str
    times: int

    def words(self, words: list[str]) -> list[str]:
        return [part for word in words for part in word.split(self.mark, self.times)]

    def nodes(self, graph: Nodes, words: str) -> str:
        return graph.rows(graph.split(words, self.mark, self.times))


RULES: tuple[Rule, ...] = (
    # Text that was wrapped into lines has a line break between two words; a paragraph ends with two.
    Divide("\n", 2),
    Cut("\n"),
    Cut("\r"),
    Cut("\t"),
    *(Cut(mark) for mark in ".,!?;:)"),
    Unquote("''"),
    Unquote('"'),
    Unquote("("),
    Cut("'s"),
    Divide("-", 1),
)

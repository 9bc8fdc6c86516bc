"""The Python tokeniser and the graph's must give the same ids for any text."""

from functools import cache

import numpy as np
import onnx
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from onnx import helper

from coldpress_build.serving import ServedModel
from coldpress_build.text.graph import text_graph
from coldpress_build.text.tokeniser import FIRST, PAD, UNKNOWN, Tokeniser, words_of

MAX_WORDS = 16
WORDS = ("film", "good", "it", "made", "isn't", "well", "é", "(a", "''", "..")


@cache
def served(max_words: int = MAX_WORDS) -> tuple[Tokeniser, ServedModel]:
    tokeniser = Tokeniser(WORDS, max_words)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 4)]
    model = helper.make_model(text_graph(tokeniser), opset_imports=opsets, ir_version=10)
    onnx.checker.check_model(model)
    return tokeniser, ServedModel.open(model.SerializeToString())


def in_graph(texts: list[str], max_words: int = MAX_WORDS) -> list[list[int]]:
    _, model = served(max_words)
    ids = model.run({"text": np.array(texts, object)})["ids"]
    return [[int(i) for i in row if i != PAD] for row in ids]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", []),
        ("     ", []),
        ("A Good FILM.", ["a", "good", "film"]),
        ("good!?) (good) ''good'' \"good,\"", ["good"] * 4),
        ("It's well-made; isn't it?", ["it", "well", "made", "isn't", "it"]),
        ("one\ntwo.\r\n\r\nthree", ["one", "two"]),
        ("wrapped\nline.\r\n\r\nNext\n", ["wrapped", "line"]),
        ("wrapped\nline here.\r\n\r\nNext\n", ["wrapped", "line", "here", "next"]),
        ("\u0130stanbul \u0391\u03a3", ["istanbul", "\u03b1\u03c3"]),
        ("... .. .", []),
        ("a-b-c", ["a", "b-c"]),
        ("\x02good \x02", ["\x02good"]),
        ("tab\tcut", ["tab"]),
        ("good ol' movies'", ["good", "ol", "movies"]),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text, MAX_WORDS) == words


def test_only_the_first_words_are_read() -> None:
    assert words_of(" ".join("abcdefgh"), 4) == ["a", "b", "c"]
    assert in_graph(["good " * 100], MAX_WORDS) == [[FIRST + 1] * (MAX_WORDS - 1)]


pieces = st.sampled_from(
    [*WORDS, "İ", "Σ", "-", "'s", "'", "''", '"', "(", ")", ".", ",", "\n", "\r", "\t", " ", "  "]
)
texts = st.one_of(
    st.text(st.characters(exclude_categories=("Cs",))), st.lists(pieces, max_size=40).map("".join)
)


@settings(max_examples=300, deadline=None)
@given(st.lists(texts, min_size=1, max_size=5))
@example(["", " ", "good"])
@example(["\x00good\x00", "\x02"])
@example(["''(\"good", "(((((", "'s's", "--", "\n\n\n\n"])
def test_the_graph_reads_text_as_python_does(batch: list[str]) -> None:
    tokeniser, _ = served()
    assert in_graph(batch) == [tokeniser.ids(text) for text in batch]


def test_an_odd_row_does_not_change_the_others() -> None:
    alone = in_graph(["good film"])
    assert in_graph(["good film", "a " * 100_000, "", "x-" * 50_000, "\n" * 1000])[:1] == alone


def test_batch_is_padded_after_the_words() -> None:
    tokeniser, _ = served()
    assert tokeniser.batch(["good film", "", "nothing"]).tolist() == [
        [FIRST + 1, FIRST],
        [PAD, PAD],
        [UNKNOWN, PAD],
    ]
    assert tokeniser.batch([""]).tolist() == [[PAD]]


def test_a_vocabulary_is_the_words_that_occur_often_enough() -> None:
    tokeniser = Tokeniser.learn(["Good, good film", "a film!"], min_count=2, max_words=8)
    assert tokeniser.vocabulary == ("film", "good")
    assert tokeniser.size == 4

"""The movie review snippets, fetched by pinned hash, and the tokeniser on all of them."""

import numpy as np
from onnx import helper

from coldpress_build.data import reviews
from coldpress_build.serving import ServedModel
from coldpress_build.text.graph import text_graph
from coldpress_build.text.tokeniser import PAD, Tokeniser


def test_the_rows_are_those_that_the_figures_are_of() -> None:
    data = reviews.load()
    assert data.reference == "movie-review-snippets@434fb2bcca882411"
    assert data.classes == ("negative", "positive")
    assert (len(data), *np.bincount(data.target)) == (10566, 5325, 5241)
    assert data.notes == ("37 rows rated exactly 0 left out", "2 repeated rows left out")


def test_the_graph_reads_every_snippet_as_python_does() -> None:
    texts = reviews.load().columns["text"].tolist()
    tokeniser = Tokeniser.learn(texts, min_count=2, max_words=128)
    opsets = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 4)]
    model = helper.make_model(text_graph(tokeniser), opset_imports=opsets, ir_version=10)
    graph = ServedModel.open(model.SerializeToString())
    for start in range(0, len(texts), 256):
        part = texts[start : start + 256]
        ids = graph.run({"text": np.array(part, object)})["ids"]
        assert [[int(i) for i in row if i != PAD] for row in ids] == [tokeniser.ids(text) for text in part]

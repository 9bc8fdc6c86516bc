"""Text -> word ids, as ONNX core operators. `tokeniser` says the same in Python."""

import onnx
from onnx import TensorProto, helper

from coldpress_build.text.nodes import Nodes
from coldpress_build.text.rules import RULES
from coldpress_build.text.tokeniser import SENTINEL, UNKNOWN, Tokeniser

# The default, en_US.UTF-8, fails wherever that locale is not installed.
LOCALE = "C.UTF-8"


def text_graph(tokeniser: Tokeniser, text: str = "text", ids: str = "ids") -> onnx.GraphProto:
    """A graph from strings `text` [batch] to int64 `ids` [batch, words], whose words stand in order with PAD
    anywhere between and after them."""
    graph = Nodes("text")
    lowered = graph.add("StringNormalizer", text, case_change_action="LOWER", locale=LOCALE)
    words = graph.split(graph.concat(graph.text(f"{SENTINEL} "), lowered), "", tokeniser.max_words)
    # The last split leaves all the rest of a long text as one word: dropped before anything copies it.
    words = graph.first(words, tokeniser.max_words)
    for rule in RULES:
        words = rule.nodes(graph, words)
    graph.add(
        "LabelEncoder",
        words,
        keys_strings=list(tokeniser.keys),
        values_int64s=list(tokeniser.keys.values()),
        default_int64=UNKNOWN,
    )
    graph.nodes[-1].output[0] = ids
    return helper.make_graph(
        graph.nodes,
        "text_to_ids",
        [helper.make_tensor_value_info(text, TensorProto.STRING, ["batch"])],
        [helper.make_tensor_value_info(ids, TensorProto.INT64, ["batch", "words"])],
        graph.constants,
    )

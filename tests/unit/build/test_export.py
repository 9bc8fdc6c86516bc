"""The exported graph answers what the trained network answers, whatever the text."""

import json
from functools import cache

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import numpy_helper

from coldpress_build.baseline import Baseline
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts
from coldpress_build.engine import Epoch, Fit, Trained
from coldpress_build.errors import BuildError
from coldpress_build.export import check, with_metadata, within_limit
from coldpress_build.metadata import metadata
from coldpress_build.recipes.recipe import Prepared
from coldpress_build.recipes.regressor import Config as Regression
from coldpress_build.recipes.text_classifier import Config, Network
from coldpress_build.recipes.words import WordReader
from coldpress_build.result import Learned
from coldpress_build.serving import ServedModel
from coldpress_build.text.tokeniser import Tokeniser

CLASSES = ("bad", "good")
TOKENISER = Tokeniser(tuple(f"w{n}" for n in range(50)), 32)
READER = WordReader(TOKENISER)
ODD = [
    "",
    " ",
    "w1",
    "W1, w2. w3!",
    "unknown words only",
    "w1 " * 100_000,
    "w" * 1_000_000,
    "\n\r\t\x00",
    "w1\nw2-w3",
    "((((''''\"\"\"\"----",
    "\U0001f600 w5 \u0130",
]


@cache
def network() -> Network:
    torch.manual_seed(0)
    return Network(TOKENISER.size, len(CLASSES), Config(dimension=8, hidden=8)).eval()


@cache
def exported() -> onnx.ModelProto:
    return READER.graph(network(), CLASSES, "text")


def trained(longer: bool = True) -> Trained:
    prepared = Prepared(
        build=lambda _: network(),
        batches=READER.batches,
        table=READER.table,
        graph=lambda _: exported(),
        warm_up={},
        longer=READER.longer if longer else None,
    )
    run = Fit(0, Epoch(1, 0.0, 0.0, {}), (), 0.0)
    return Trained((run,), run, 0, network(), prepared)


def rows(classes: tuple[str, ...] = CLASSES) -> Dataset:
    texts = np.array(random_texts(200), object)
    return Dataset("rows", {"text": texts}, np.zeros(200, np.int64), classes)


@cache
def served() -> ServedModel:
    return ServedModel.open(exported().SerializeToString())


def ask(texts: list[str]) -> dict[str, NDArray[np.float32]]:
    return served().run({"text": np.array(texts, object)})


def expected(texts: list[str]) -> NDArray[np.float32]:
    with torch.inference_mode():
        scores: NDArray[np.float32] = network()(torch.from_numpy(TOKENISER.batch(texts))).softmax(-1).numpy()
    return scores


def random_texts(count: int) -> list[str]:
    generator = np.random.default_rng(0)
    return [
        " ".join(f"w{word}" for word in generator.integers(0, 60, generator.integers(0, 40)))
        for _ in range(count)
    ]


def test_inputs_and_outputs_are_the_contract() -> None:
    specs = [(s.name, s.datatype, s.shape, s.dimensions) for s in (*served().inputs, *served().outputs)]
    assert specs == [
        ("text", "BYTES", (-1,), ("batch",)),
        ("label", "BYTES", (-1,), ("batch",)),
        ("scores", "FP32", (-1, 2), ("batch", "")),
    ]


def test_versions_are_pinned_to_what_serving_reads() -> None:
    model = exported()
    assert model.ir_version == 10
    assert {opset.domain: opset.version for opset in model.opset_import} == {"": 20, "ai.onnx.ml": 4}
    assert {node.domain for node in model.graph.node} == {"", "ai.onnx.ml"}


@pytest.mark.parametrize("batch", [1, 2, 7, 200])
def test_it_answers_as_the_network_does(batch: int) -> None:
    texts = random_texts(batch)
    answer = ask(texts)
    np.testing.assert_allclose(answer["scores"], expected(texts), atol=1e-6)
    assert answer["label"].tolist() == [CLASSES[i] for i in answer["scores"].argmax(1)]


def test_odd_texts_have_finite_answers_alone_and_together() -> None:
    together = ask(ODD)["scores"]
    np.testing.assert_allclose(together, expected(ODD), atol=1e-6)
    np.testing.assert_allclose(together.sum(1), 1.0, atol=1e-6)
    for row, text in enumerate(ODD):
        np.testing.assert_allclose(ask([text])["scores"][0], together[row], atol=1e-6)


def test_one_long_row_among_thousands_is_answered() -> None:
    answer = ask(["w1 " * 100_000, *["w2"] * 4095])
    assert answer["scores"].shape == (4096, 2)
    np.testing.assert_allclose(answer["scores"][1:], np.tile(expected(["w2"]), (4095, 1)), atol=1e-6)


def test_metadata_is_added_and_replaced() -> None:
    first = with_metadata(exported(), {"coldpress.labels": ["bad", "good"], "note": "x"})
    second = with_metadata(first, {"note": "é"})
    assert ServedModel.open(second.SerializeToString()).metadata == {
        "coldpress.labels": json.dumps(["bad", "good"]),
        "note": "é",
    }
    assert not exported().metadata_props


def test_check_accepts_the_graph_and_says_how_far_it_is() -> None:
    assert check(exported(), trained(), rows()) <= 1e-5


def test_check_refuses_a_graph_with_other_weights() -> None:
    broken = onnx.ModelProto()
    broken.CopyFrom(exported())
    (weight,) = [t for t in broken.graph.initializer if t.name.endswith("embedding.weight")]
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * 1.01, weight.name))
    with pytest.raises(BuildError, match=r"answers .* apart from the trained network in a batch of \d"):
        check(broken, trained(), rows())


def test_check_refuses_labels_in_another_order() -> None:
    with pytest.raises(BuildError, match="labels are not those of its scores"):
        check(exported(), trained(), rows(CLASSES[::-1]))


def test_check_refuses_a_graph_that_breaks_the_rules() -> None:
    broken = onnx.ModelProto()
    broken.CopyFrom(exported())
    broken.graph.node[3].op_type = "NoSuchOperator"
    with pytest.raises(BuildError, match="breaks ONNX's rules"):
        check(broken, trained(), rows())


def test_a_model_that_is_too_large_for_one_file_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    assert within_limit(exported()) is exported()
    monkeypatch.setattr("coldpress_build.export.MAX_BYTES", 1000)
    with pytest.raises(BuildError, match=r"the model has [\d,]+ bytes, and one file takes 1,000; make the"):
        within_limit(exported())


def test_a_model_says_what_it_is() -> None:
    parts = Parts(rows(), rows(), rows())
    baseline = Baseline("none", "accuracy", 0.5, 0.5, 0.5, 0.0, np.zeros(200))
    found = metadata(Learned("text-classifier", Config(), rows(), parts, baseline, trained()))
    assert found["coldpress.labels"] == ["bad", "good"]
    assert found["coldpress.description"] == "text -> bad, good; learned from rows"
    assert found["coldpress.dataset"] == rows().reference
    assert found["coldpress.warmup"] == {"inputs": []}
    many = Dataset("wide", {f"c{n}": np.arange(3.0) for n in range(10)}, np.arange(3.0), ())
    values = metadata(Learned("regressor", Regression(unit="kg"), many, parts, baseline, trained()))
    assert values["coldpress.unit"] == "kg"
    assert values["coldpress.description"] == (
        "c0, c1, c2, c3, c4, c5, c6, c7 and 2 more -> a value in kg; learned from wide"
    )
    assert "coldpress.labels" not in values

"""Static 8-bit arithmetic on a real conv net: digits of 8 x 8 pixels, learned in a second."""

from pathlib import Path

import numpy as np
import onnx
import pytest
import torch
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper
from sklearn.datasets import load_digits
from torch import nn
from torch.nn.functional import cross_entropy

from coldpress_build.press import measure
from coldpress_build.press.candidates import RECIPES, Source, make, prepare
from coldpress_build.press.gate import Gate
from coldpress_build.press.heldout import HeldOut
from coldpress_build.press.measure import ask
from coldpress_build.press.press import Pressed, press
from coldpress_build.press.static import METHODS, calibration_rows, int8_static
from coldpress_build.progress import Progress
from coldpress_build.serving import ServedModel

Rows = dict[str, NDArray[np.float32]]
ROOMY = Gate(max_slower=100.0)
"""Times are not the point, and the machine may be busy."""


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ROUNDS", 5)


@pytest.fixture(scope="module")
def digits() -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    data = load_digits()
    order = np.random.default_rng(0).permutation(len(data.target))
    return (data.images[order, None] / 16).astype(np.float32), data.target[order]


@pytest.fixture(scope="module")
def conv_net(
    digits: tuple[NDArray[np.float32], NDArray[np.int64]], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """x [batch, 1, 8, 8] -> scores [batch, 10]; fitted to the first 1,000 rows."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # two, on busy cores, wait for each other
    with torch.random.fork_rng():
        torch.manual_seed(0)
        first, second = nn.Conv2d(1, 32, 3, padding=1), nn.Conv2d(32, 64, 3, padding=1)
        dense = nn.Linear(64 * 4, 10)
        network = nn.Sequential(
            first, nn.ReLU(), nn.MaxPool2d(2), second, nn.ReLU(), nn.MaxPool2d(2), nn.Flatten(), dense
        )
        images, labels = (torch.from_numpy(part[:1000]) for part in digits)
        optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
        for _ in range(8):
            for rows in torch.randperm(1000).split(50):
                optimiser.zero_grad()
                cross_entropy(network(images[rows]), labels[rows]).backward()  # type: ignore[no-untyped-call]
                optimiser.step()
    torch.set_num_threads(threads)
    layers = {"a": first, "b": second, "c": dense}
    constants = [
        numpy_helper.from_array(getattr(layer, kind).detach().numpy(), f"{name}.{kind}")
        for name, layer in layers.items()
        for kind in ("weight", "bias")
    ]

    def conv(source: str, name: str) -> list[onnx.NodeProto]:
        return [
            helper.make_node("Conv", [source, f"{name}.weight", f"{name}.bias"], [f"{name}1"], pads=[1] * 4),
            helper.make_node("Relu", [f"{name}1"], [f"{name}2"]),
            helper.make_node("MaxPool", [f"{name}2"], [f"{name}3"], kernel_shape=[2, 2], strides=[2, 2]),
        ]

    nodes = [
        *conv("x", "a"),
        *conv("a3", "b"),
        helper.make_node("Flatten", ["b3"], ["flat"]),
        helper.make_node("Gemm", ["flat", "c.weight", "c.bias"], ["logits"], transB=1),
        helper.make_node("Softmax", ["logits"], ["scores"]),
    ]
    graph = helper.make_graph(
        nodes,
        "digits",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 1, 8, 8])],
        [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", 10])],
        constants,
    )
    path = tmp_path_factory.mktemp("digits") / "digits.onnx"
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    return path


@pytest.fixture(scope="module")
def held_out(digits: tuple[NDArray[np.float32], NDArray[np.int64]]) -> HeldOut:
    images, labels = digits
    return HeldOut({"x": images[1300:]}, labels[1300:])


@pytest.fixture(scope="module")
def calibration(digits: tuple[NDArray[np.float32], NDArray[np.int64]]) -> Rows:
    return {"x": digits[0][:256]}


def test_a_conv_net_shrinks_to_nearly_a_quarter(
    conv_net: Path, held_out: HeldOut, calibration: Rows, tmp_path: Path
) -> None:
    result, file = press(
        conv_net, tmp_path, held_out, None, ROOMY, Progress(silent=True), calibration=calibration
    )
    static = result.candidate("int8-static")
    assert static.passed, static.reason
    assert static.figures is not None
    assert static.figures.bytes < 0.33 * result.original.bytes
    assert static.figures.served_bytes < 0.4 * result.original.served_bytes
    assert static.figures.answers.batch_difference == 0.0
    assert result.original.answers.score > 95
    assert result.best.bytes <= static.figures.bytes
    assert file.stat().st_size == result.best.bytes
    for name in ("int8-static-percentile", "int8-static-entropy"):
        assert result.candidate(name).reason == "not tried: int8-static passed"
    # Losers that nothing is made from are gone; the winner and what was prepared are left.
    left = {path.name for path in tmp_path.glob("*.onnx")}
    assert left == {file.name, "fp32.prepared.onnx"}


@pytest.mark.parametrize("method", ["minmax", "percentile", "entropy"])
def test_every_calibration_keeps_the_scores(
    conv_net: Path, held_out: HeldOut, calibration: Rows, tmp_path: Path, method: str
) -> None:
    prepared = prepare(conv_net, tmp_path / "prepared.onnx")
    int8_static(prepared, tmp_path / "static.onnx", calibration, method)
    model = onnx.load(tmp_path / "static.onnx")
    kinds = [node.op_type for node in model.graph.node]
    assert kinds[-2:] == ["Gemm", "Softmax"]  # no rounding after the last layer
    assert kinds.count("Conv") == 2
    model.ir_version = 10
    given = ask(ServedModel.open(model.SerializeToString()), held_out, 64)["scores"]
    wanted = ask(ServedModel.open(conv_net), held_out, 64)["scores"]
    assert np.mean(given.argmax(1) == wanted.argmax(1)) > 0.98
    # Rounded to 256 steps, scores would come in at most so many values.
    assert len(np.unique(given)) > 1000
    weights = [numpy_helper.to_array(t) for t in model.graph.initializer if t.data_type == TensorProto.INT8]
    assert max(int(np.abs(values).max()) for values in weights) <= 64  # see int8_static: 7 bits


def test_without_rows_there_is_no_static_candidate(conv_net: Path, held_out: HeldOut, tmp_path: Path) -> None:
    recipes = [recipe for recipe in RECIPES if recipe.name == "int8-static"]
    result: Pressed
    result, _ = press(conv_net, tmp_path, held_out, None, ROOMY, Progress(silent=True), recipes)
    assert result.candidate("int8-static").reason == (
        "it could not be made: ValueError: there are no rows to calibrate with"
    )


def test_the_ending_of_values_stays_a_float(tmp_path: Path) -> None:
    """A regression's value must not come in 256 steps, even where the last layer is the output itself."""
    generator = np.random.default_rng(0)
    first, second = (generator.normal(size=shape).astype(np.float32) for shape in ((16, 64), (64, 1)))
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "v"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 1])],
        [numpy_helper.from_array(first, "w"), numpy_helper.from_array(second, "v")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10),
        tmp_path / "m.onnx",
    )
    x = generator.normal(size=(2000, 16)).astype(np.float32)
    prepared = prepare(tmp_path / "m.onnx", tmp_path / "p.onnx")
    static = next(recipe for recipe in RECIPES if recipe.name == "int8-static")
    assert make(static, Source(prepared, {"x": x[:500]}), tmp_path / "s.onnx", {"key": "kept"}) == ""
    served = ServedModel.open(tmp_path / "s.onnx")
    assert served.metadata == {"key": "kept"}
    given = served.run({"x": x})["y"]
    assert len(np.unique(given)) > 1500
    wanted = x @ first @ second
    assert np.corrcoef(given[:, 0], wanted[:, 0])[0, 1] > 0.999


def product(path: Path, batch: int | str) -> Path:
    weights = np.random.default_rng(0).normal(size=(16, 64)).astype(np.float32)
    graph = helper.make_graph(
        [helper.make_node("MatMul", ["x", "w"], ["y"])],
        "g",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, [batch, 16])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, [batch, 64])],
        [numpy_helper.from_array(weights, "w")],
    )
    onnx.save(
        helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10),
        path,
    )
    return path


@pytest.mark.parametrize("batch", [3, "n"])
@pytest.mark.parametrize("method", METHODS)
def test_twenty_rows_calibrate_a_fixed_batch_and_a_free_one(
    tmp_path: Path, batch: int | str, method: str
) -> None:
    source = product(tmp_path / "m.onnx", batch)
    x = np.random.default_rng(1).normal(size=(20, 16)).astype(np.float32)
    int8_static(source, tmp_path / "s.onnx", {"x": x}, method)
    operators = [node.op_type for node in onnx.load(tmp_path / "s.onnx").graph.node]
    assert "QuantizeLinear" in operators


def test_fewer_rows_than_a_fixed_batch_are_named(tmp_path: Path) -> None:
    source = product(tmp_path / "m.onnx", 3)
    with pytest.raises(ValueError, match="batches of 3 rows, and there are 2 to calibrate with"):
        int8_static(source, tmp_path / "s.onnx", {"x": np.zeros((2, 16), np.float32)}, "minmax")


def test_calibration_rows_are_drawn_at_random() -> None:
    rows = {"x": np.arange(100), "y": np.arange(100) * 2}
    drawn = calibration_rows(rows, 10)
    assert len(drawn["x"]) == 10
    assert drawn["x"].max() > 50 > drawn["x"].min()
    np.testing.assert_array_equal(drawn["y"], drawn["x"] * 2)
    assert len(calibration_rows(rows, 1000)["x"]) == 100

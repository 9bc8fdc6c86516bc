"""The press, on small models made by hand: real candidates, measured in the real serving runtime."""

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from coldpress.ingest import optimise
from coldpress_build.errors import BuildError, DataError
from coldpress_build.press import measure
from coldpress_build.press.candidates import RECIPES, Recipe, Source
from coldpress_build.press.confidence import lost
from coldpress_build.press.gate import Gate
from coldpress_build.press.heldout import HeldOut, Scoring, scoring_of
from coldpress_build.press.measure import Answers, answers, ask, batch_sizes, ratio, side_by_side
from coldpress_build.press.press import Pressed, press
from coldpress_build.progress import Progress
from coldpress_build.serving import ServedModel

FLOAT, INT64, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.STRING
WIDTH, CLASSES = 256, 4


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ROUNDS", 5)


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: list[tuple[str, int, list[Any]]],
    outputs: list[tuple[str, int, list[Any]]],
    constants: dict[str, NDArray[Any]],
    metadata: dict[str, str] | None = None,
) -> bytes:
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info(*row) for row in inputs],
        [helper.make_tensor_value_info(*row) for row in outputs],
        [numpy_helper.from_array(value, name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10)
    helper.set_model_props(model, metadata or {})
    data: bytes = model.SerializeToString()
    return data


def weights() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(size=(WIDTH, CLASSES * 64)).astype(np.float32)


def classifier(batch: str | int = "batch", scale: float = 1.0) -> bytes:
    """x [batch, WIDTH] -> scores [batch, CLASSES], through a wide layer that is worth pressing."""
    second = np.random.default_rng(1).normal(size=(CLASSES * 64, CLASSES)).astype(np.float32)
    return model_of(
        [
            helper.make_node("MatMul", ["x", "w"], ["h"], "first"),
            helper.make_node("Tanh", ["h"], ["t"], "tanh"),
            helper.make_node("MatMul", ["t", "v"], ["scores"], "second"),
        ],
        [("x", FLOAT, [batch, WIDTH])],
        [("scores", FLOAT, [batch, CLASSES])],
        {"w": weights() * np.float32(scale), "v": second},
        {"coldpress.labels": '["a", "b", "c", "d"]', "coldpress.description": "by hand"},
    )


def rows_for(model: bytes, count: int = 256) -> HeldOut:
    """Rows whose target is what the model itself answers."""
    x = np.random.default_rng(2).normal(size=(count, WIDTH)).astype(np.float32)
    served = ServedModel.open(model)
    given = ask(served, HeldOut({"x": x}, np.zeros(count)), batch_sizes(served)[-1])["scores"]
    return HeldOut({"x": x}, np.array(["abcd"[i] for i in given.argmax(1)], object))


def pressed(model: bytes, rows: HeldOut, tmp_path: Path, **options: Any) -> tuple[Pressed, Path]:
    original = tmp_path / "original.onnx"
    original.write_bytes(model)
    options = {"test": None, "gate": Gate(), **options}
    return press(original, tmp_path, rows, progress=Progress(silent=True), **options)


def only(*names: str) -> tuple[Recipe, ...]:
    """The recipes of these names."""
    return tuple(recipe for recipe in RECIPES if recipe.name in names)


def test_the_winner_is_smaller_and_answers_alike(tmp_path: Path) -> None:
    model = classifier()
    rows = rows_for(model)
    # Times of this model are not the point here, and the machine may be busy.
    gate = Gate(max_loss=2.0, max_doubt=10.0, max_slower=10.0)
    result, file = pressed(model, rows, tmp_path, gate=gate, test=rows)
    assert [one.name for one in result.candidates] == ["fp32", *(recipe.name for recipe in RECIPES)]
    assert result.scoring == Scoring("accuracy", "scores", ("a", "b", "c", "d"))
    assert result.original.answers.score == 100.0
    assert result.best.bytes < 0.5 * result.original.bytes
    assert result.best.served_bytes < result.original.served_bytes
    assert result.best.answers.score == result.best.test_score >= 98.0
    assert file.stat().st_size == result.best.bytes
    winner = ServedModel.open(file)
    assert winner.metadata["coldpress.description"] == "by hand"
    assert ask(winner, rows, 64)["scores"].shape == (256, CLASSES)


def test_answers_that_depend_on_the_batch_fail_the_gate(tmp_path: Path) -> None:
    model = classifier()
    result, _ = pressed(model, rows_for(model), tmp_path, recipes=only("int8-dynamic"))
    dynamic = result.candidate("int8-dynamic")
    assert not dynamic.passed
    assert "apart in a batch" in dynamic.reason
    assert dynamic.figures is not None
    assert (dynamic.figures.answers.batch_difference or 0) > 1e-3
    assert (result.original.answers.batch_difference or 0) < 1e-4


def test_what_loses_too_much_is_never_chosen(tmp_path: Path) -> None:
    def ruin(source: Source, target: Path) -> None:
        model = onnx.load(source.model)
        del model.graph.initializer[:]
        small = {"w": weights() * 0, "v": np.zeros((CLASSES * 64, CLASSES), np.float32)}
        model.graph.initializer.extend(numpy_helper.from_array(value, name) for name, value in small.items())
        model.graph.name = ""  # a byte smaller
        onnx.save(model, target)

    def broken(*_: Any) -> None:
        raise RuntimeError("no luck")

    def unreadable(_: Source, target: Path) -> None:
        onnx.save(onnx.ModelProto(ir_version=10), target)

    model = classifier()
    recipes = tuple(Recipe(make.__name__, "", make) for make in (ruin, broken, unreadable))
    result, file = pressed(model, rows_for(model), tmp_path, recipes=recipes)
    assert (result.winner, file.name) == ("fp32", "original.onnx")
    assert "loses" in result.candidate("ruin").reason
    assert result.candidate("broken").reason == "it could not be made: RuntimeError: no luck"
    assert result.candidate("unreadable").reason.startswith("it does not run: ")
    assert result.candidate("unreadable").figures is None


def test_numbers_that_are_not_finite_are_an_error_of_the_original(tmp_path: Path) -> None:
    model = classifier()
    rows = rows_for(model)
    poisoned = HeldOut({"x": np.where(np.arange(256)[:, None] == 7, np.nan, rows.inputs["x"])}, rows.target)
    poisoned = HeldOut({"x": poisoned.inputs["x"].astype(np.float32)}, rows.target)
    with pytest.raises(BuildError, match="not finite on these rows"):
        pressed(model, poisoned, tmp_path)


@pytest.mark.parametrize("batch", [1, 8])
def test_a_fixed_batch_size_is_kept_to(tmp_path: Path, batch: int) -> None:
    model = classifier(batch)
    rows = rows_for(model, 20)
    result, _ = pressed(model, rows, tmp_path, recipes=only("int8-weights"))
    assert result.original.answers == Answers(
        100.0, "accuracy", finite=True, batch_difference=None, batch_flips=0
    )


def test_a_regressor_is_scored_by_r_squared(tmp_path: Path) -> None:
    w = np.random.default_rng(3).normal(size=(WIDTH, 1)).astype(np.float32)
    model = model_of(
        [helper.make_node("MatMul", ["x", "w"], ["y"], "only")],
        [("x", FLOAT, ["batch", WIDTH])],
        [("y", FLOAT, ["batch", 1])],
        {"w": w},
    )
    x = np.random.default_rng(4).normal(size=(200, WIDTH)).astype(np.float32)
    rows = HeldOut({"x": x}, (x @ w)[:, 0].astype(np.float64))
    result, _ = pressed(model, rows, tmp_path, recipes=only("int8-weights"))
    assert result.scoring == Scoring("R²", "y")
    assert result.original.answers.score == pytest.approx(100.0, abs=1e-6)


def scored(target: list[Any], outputs: list[tuple[str, int, list[Any]]], labels: str = "") -> Scoring:
    """How a model with these outputs, each an identity of an input, is scored."""
    model = model_of(
        [helper.make_node("Identity", [f"in_{name}"], [name]) for name, _, _ in outputs],
        [(f"in_{name}", kind, shape) for name, kind, shape in outputs],
        outputs,
        {},
        {"coldpress.labels": labels} if labels else None,
    )
    return scoring_of(
        ServedModel.open(model), np.array(target, object if isinstance(target[0], str) else None)
    )


@pytest.mark.parametrize(
    ("target", "outputs", "labels", "scoring"),
    [
        (["a", "b"], [("label", STRING, ["n"]), ("p", FLOAT, ["n", 2])], "", Scoring("accuracy", "label")),
        ([0, 1], [("p", FLOAT, ["n", 2])], "", Scoring("accuracy", "p", ("0", "1"))),
        (["a", "b"], [("p", FLOAT, ["n", 2])], '["a", "b"]', Scoring("accuracy", "p", ("a", "b"))),
        ([3, 7], [("k", INT64, ["n"])], "", Scoring("accuracy", "k")),
        ([0.5, 1.5], [("k", INT64, ["n"]), ("y", FLOAT, ["n"])], "", Scoring("R²", "y")),
        ([0.0, 1.0], [("label", STRING, ["n"])], '["0", "1"]', Scoring("accuracy", "label")),
        (["b", "a"], [("label", STRING, ["n"])], '["a", "b"]', Scoring("accuracy", "label")),
        ([0, 1], [("y", FLOAT, ["n", 1])], "", Scoring("R²", "y")),
    ],
)
def test_the_target_decides_what_is_compared(
    target: list[Any], outputs: list[tuple[str, int, list[Any]]], labels: str, scoring: Scoring
) -> None:
    assert scored(target, outputs, labels) == scoring


def test_targets_that_cannot_be_scored_are_refused() -> None:
    two = [("p", FLOAT, ["n", 2])]
    with pytest.raises(DataError, match="the target is 1 in all 2 rows"):
        scored([1, 1], two)
    with pytest.raises(DataError, match="the target holds 'c', and the model's classes are 'a', 'b'"):
        scored(["a", "c"], two, '["a", "b"]')
    with pytest.raises(DataError, match="the target holds '2', and the model's classes are '0', '1'; say wh"):
        scored([1.0, 2.0], two)
    with pytest.raises(DataError, match="the target holds 'Bonn', 'Rome', and the model's classes are '0', "):
        scored(["Bonn", "Rome"], [("label", STRING, ["n"])], '["0", "1"]')
    with pytest.raises(DataError, match="the target holds inf; every one must be a number"):
        scored([0.5, float("inf")], [("y", FLOAT, ["n"])])
    with pytest.raises(BuildError, match=r"no output can be compared .* p \(tensor of FP32 \[-1, 2, 2\]\)"):
        scored(["a", "b"], [("p", FLOAT, ["n", 2, 2])])


def test_classes_are_compared_by_name() -> None:
    scoring = Scoring("accuracy", "p", ("a", "b"))
    assert scoring.answers(np.array([[0.1, 0.9], [0.8, 0.2]])).tolist() == ["b", "a"]
    assert scoring.points(np.array(["b", "a"], object), np.array(["b", "b"], object)) == 50.0
    assert Scoring("accuracy", "k").points(np.array(["3", "7"], object), np.array([3, 8])) == 50.0


def test_a_whole_number_among_floats_is_the_name_of_a_class() -> None:
    answers, target = np.array(["1", "0", "1.0", "1"], object), np.array([1.0, 0.0, 1.0, 0.0])
    assert Scoring("accuracy", "k").points(answers, target) == 75.0
    loss = lost(answers, answers[::-1], HeldOut({}, target), Scoring("accuracy", "k"))
    assert (loss.spoiled, loss.mended) == (2, 0)


def test_rows_of_another_vocabulary_are_refused(tmp_path: Path) -> None:
    model = classifier()
    own = rows_for(model)
    unnamed = onnx.load_from_string(model)
    del unnamed.metadata_props[:]
    (tmp_path / "m.onnx").write_bytes(unnamed.SerializeToString())
    # Each class by the index of the next one: all of them are names, and none is right.
    strange = HeldOut(own.inputs, np.array(["bcda".index(name) for name in own.target]))

    def run(rows: HeldOut, *, foreign: bool) -> Pressed:
        found, _ = press(
            tmp_path / "m.onnx", tmp_path, rows, None, Gate(), Progress(silent=True), (), foreign=foreign
        )
        return found

    with pytest.raises(DataError, match=r"m\.onnx gets none of the 256 rows right, .* is '\d' to it"):
        run(strange, foreign=True)
    # Rows of its own training are none of another's, however bad the network is.
    assert run(strange, foreign=False).original.answers.score == 0.0


def test_a_row_that_answers_otherwise_in_a_batch_is_counted() -> None:
    # Softmax over the rows of the batch: alone every row has the score 1 for each class.
    model = model_of(
        [helper.make_node("Softmax", ["x"], ["p"], axis=0)],
        [("x", FLOAT, ["n", 2])],
        [("p", FLOAT, ["n", 2])],
        {},
    )
    rows = HeldOut({"x": np.array([[0, 3], [2, 0], [5, 1]], np.float32)}, np.array([0, 1, 0]))
    found, _ = answers(ServedModel.open(model), rows, Scoring("accuracy", "p", ("0", "1")))
    assert found.batch_flips == 2  # alone all tie and are class 0; in the batch the first two are not
    assert (found.batch_difference or 0) > 0.5


@pytest.mark.parametrize("scale", [1e-6, 1.0, 1e6])
def test_values_that_differ_in_a_batch_are_told_on_the_targets_own_scale(scale: float) -> None:
    # A thousandth of the batch's mean comes to each value: alone that is of the value itself.
    model = model_of(
        [
            helper.make_node("ReduceMean", ["x"], ["m"]),
            helper.make_node("Mul", ["m", "c"], ["more"]),
            helper.make_node("Add", ["x", "more"], ["y"]),
        ],
        [("x", FLOAT, ["n", 1])],
        [("y", FLOAT, ["n", 1])],
        {"c": np.array([1e-3], np.float32)},
    )
    x = np.linspace(-1, 2, 61, dtype=np.float32)[:, None] * np.float32(scale)
    found, _ = answers(ServedModel.open(model), HeldOut({"x": x}, x[:, 0]), Scoring("R²", "y"))
    assert found.batch_difference == pytest.approx(1.65e-3, rel=0.05)


def test_calls_take_turns() -> None:
    turns: list[str] = []
    times = side_by_side({name: lambda name=name: turns.append(name) for name in "ab"}, rounds=3)  # type: ignore[misc]
    assert {name: len(found) for name, found in times.items()} == {"a": 3, "b": 3}
    changes = sum(one != other for one, other in pairwise(turns))
    assert changes == 7  # warm-ups a, b; then a, b in each of three rounds
    assert ratio([2.0, 3.0, 9.0], [1.0, 1.0, 1.0]) == 3.0


def test_a_batch_sensitive_model_may_win_where_that_is_allowed_and_says_so(tmp_path: Path) -> None:
    model = classifier()
    gate = Gate(max_loss=10.0, max_doubt=20.0, max_slower=1000.0, batch_sensitive=True)
    result, file = pressed(model, rows_for(model), tmp_path, gate=gate, recipes=only("int8-dynamic"))
    assert result.winner == "int8-dynamic"
    assert result.candidate("int8-dynamic").batch_sensitive
    assert not result.candidate("fp32").batch_sensitive
    metadata = ServedModel.open(file).metadata
    assert metadata["coldpress.batch_sensitive"] == "true"
    assert metadata["coldpress.description"] == "by hand"
    assert result.best.bytes == file.stat().st_size


def test_a_large_model_is_measured_in_the_form_of_large_models(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimise, "EXTERNAL_BYTES", 100_000)
    model = classifier()
    gate = Gate(max_loss=10.0, max_doubt=20.0, max_slower=1000.0)
    result, _ = pressed(model, rows_for(model), tmp_path, gate=gate, recipes=only("int8-weights"))
    assert result.original.optimised
    assert [path.name for path in (tmp_path / "fp32.served").iterdir()] == [optimise.EXTERNAL]
    assert result.winner == "int8-weights"  # below the limit: the other form
    assert not (tmp_path / "int8-weights.served").exists()


def test_an_original_may_have_a_candidates_name(tmp_path: Path) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "int8-weights.onnx").write_bytes(classifier())
    gate = Gate(max_loss=10.0, max_doubt=20.0, max_slower=1000.0)
    result, file = press(
        tmp_path / "int8-weights.onnx",
        tmp_path / "scratch",
        rows_for(classifier()),
        None,
        gate,
        Progress(silent=True),
        only("int8-weights", "int4-weights"),
    )
    assert file == tmp_path / "scratch" / f"{result.winner}.onnx"
    assert result.candidate("int4-weights").figures is not None
    assert (tmp_path / "int8-weights.onnx").read_bytes() == classifier()


def test_nodes_without_a_name_are_pressed_too(tmp_path: Path) -> None:
    model = onnx.ModelProto.FromString(classifier())
    for node in model.graph.node:
        node.name = ""
    result, _ = pressed(
        model.SerializeToString(),
        rows_for(classifier()),
        tmp_path,
        recipes=only("int8-weights", "int4-weights"),
    )
    for name, share in (("int8-weights", 0.3), ("int4-weights", 0.18)):
        figures = result.candidate(name).figures
        assert figures is not None
        assert figures.bytes < share * result.original.bytes


def test_tables_of_embeddings_in_four_bits_open_in_place(tmp_path: Path) -> None:
    table = np.random.default_rng(0).normal(size=(2000, 64)).astype(np.float32)
    model = model_of(
        [
            helper.make_node("Gather", ["table", "ids"], ["e"], "look up"),
            helper.make_node("ReduceMean", ["e", "axes"], ["m"], "mean", keepdims=0),
            helper.make_node("MatMul", ["m", "w"], ["scores"], "last"),
        ],
        [("ids", INT64, ["batch", 5])],
        [("scores", FLOAT, ["batch", CLASSES])],
        {"table": table, "axes": np.array([1]), "w": weights()[:64, :CLASSES].copy()},
    )
    ids = np.random.default_rng(1).integers(0, 2000, (300, 5))
    rows = HeldOut({"ids": ids}, (table[ids].mean(1) @ weights()[:64, :CLASSES]).argmax(1))
    gate = Gate(max_loss=100.0, max_doubt=100.0, max_slower=1000.0)
    result, file = pressed(model, rows, tmp_path, gate=gate, recipes=only("int4-weights"))
    assert result.winner == "int4-weights", result.candidate("int4-weights").reason
    assert result.best.optimised
    assert result.best.bytes < 0.2 * result.original.bytes
    assert result.best.answers.score > 80
    found = ServedModel.open(file).run({"ids": ids})["scores"]
    wanted = table[ids].mean(1) @ weights()[:64, :CLASSES]
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.98

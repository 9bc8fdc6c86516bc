"""Pressing a file that exists: its inputs from columns, and the errors of files and data that do not fit."""

import re
from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from coldpress_build import pressing
from coldpress_build.errors import BuildError, DataError
from coldpress_build.press import measure
from coldpress_build.press.heldout import HeldOut
from coldpress_build.pressing import divided, press_file

WIDTH = 4


@pytest.fixture(autouse=True)
def _few_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(measure, "ROUNDS", 5)


def write_model(path: Path, *, split: bool = False, rank: int = 2) -> NDArray[np.float32]:
    """x (or a and b) -> y = x @ w, with weights large enough to press; answers w."""
    w = np.random.default_rng(0).normal(size=(WIDTH, 64)).astype(np.float32)
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["h"], "one"),
        helper.make_node("MatMul", ["h", "v"], ["y"], "two"),
    ]
    shape = ["batch", WIDTH] if rank == 2 else ["batch", 1, WIDTH]
    inputs = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    if split:
        nodes.insert(0, helper.make_node("Concat", ["a", "b"], ["x"], "join", axis=1))
        inputs = [
            helper.make_tensor_value_info("a", TensorProto.FLOAT, ["batch", WIDTH - 1]),
            helper.make_tensor_value_info("b", TensorProto.FLOAT, ["batch", 1]),
        ]
    out = helper.make_tensor_value_info(
        "y", TensorProto.FLOAT, ["batch", 1] if rank == 2 else ["batch", 1, 1]
    )
    v = np.random.default_rng(1).normal(size=(64, 1)).astype(np.float32)
    constants = [numpy_helper.from_array(w, "w"), numpy_helper.from_array(v, "v")]
    graph = helper.make_graph(nodes, "g", inputs, [out], constants)
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 20)], ir_version=10), path)
    product: NDArray[np.float32] = w @ v
    return product


def rows() -> NDArray[np.float32]:
    return np.random.default_rng(2).normal(size=(40, WIDTH)).astype(np.float32)


def test_columns_side_by_side_make_the_only_input(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    target = rows() @ write_model(model)
    lines = ["p,q,answer,r,s"]
    lines += [f"{x[0]},{x[1]},{y},{x[2]},{x[3]}" for x, y in zip(rows(), target[:, 0], strict=True)]
    (tmp_path / "rows.csv").write_text("\n".join(lines))
    result = press_file(model, tmp_path / "rows.csv", tmp_path / "out", label_column="answer", silent=True)
    assert result.pressed.scoring.metric == "R²"
    assert result.pressed.original.answers.score == pytest.approx(100.0, abs=1e-3)
    assert result.pressed.rows == 32  # a fifth is kept to calibrate with
    files = sorted(
        str(path.relative_to(result.folder)) for path in result.folder.rglob("*") if path.is_file()
    )
    assert files == ["model.onnx", "report/index.html", "report/report.json"]
    assert result.model.stat().st_size == result.pressed.best.bytes


@pytest.mark.parametrize(("labels", "wanted"), [('["007", "42"]', ["007", "42"]), ('["7", "42"]', [7, 42])])
def test_names_with_leading_zeros_are_read_as_the_model_has_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, labels: str, wanted: list[object]
) -> None:
    write_model(tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    helper.set_model_props(model, {"coldpress.labels": labels})
    onnx.save(model, tmp_path / "m.onnx")
    (tmp_path / "rows.csv").write_text("d,a,b,c,label\n1,2,3,4,007\n5,6,7,8,42\n")

    def ended(rows: HeldOut, _: int | None) -> None:
        raise DataError(f"read: {rows.target.tolist()}")

    monkeypatch.setattr(pressing, "divided", ended)
    with pytest.raises(DataError, match=re.escape(f"read: {wanted}")):
        press_file(
            tmp_path / "m.onnx", tmp_path / "rows.csv", tmp_path / "out", label_column="label", silent=True
        )


def test_rows_without_an_answer_are_left_out(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = tmp_path / "m.onnx"
    target = (rows() @ write_model(model))[:, 0].astype(np.float64)
    target[[3, 7]] = np.nan
    np.savez(tmp_path / "rows.npz", x=rows(), label=target)
    result = press_file(model, tmp_path / "rows.npz", tmp_path / "out", calibration=8)
    assert result.pressed.rows == 30
    assert result.pressed.original.answers.score == pytest.approx(100.0, abs=1e-3)
    assert (
        "30 rows to judge by, 8 to calibrate with; 2 rows without label left out" in capsys.readouterr().err
    )


def test_inputs_take_the_columns_of_their_names(tmp_path: Path) -> None:
    model = tmp_path / "m.onnx"
    target = rows() @ write_model(model, split=True)
    x = rows()
    np.savez(tmp_path / "rows.npz", a=x[:, :-1], b=x[:, -1], label=target[:, 0].astype(np.float64))
    result = press_file(model, tmp_path / "rows.npz", tmp_path / "out", silent=True)
    assert result.pressed.original.answers.score == pytest.approx(100.0, abs=1e-3)


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"x": rows()}, r"no column 'label' \(what the model should answer; --label-column names another\)"),
        ({"label": np.arange(40.0)}, r"no column 'x' \(an input\); it has 'label'"),
        (
            {"x": rows()[:, :2], "label": np.arange(40.0)},
            r"'x' has the shape \[40, 2\], and the model takes \[-1, 4\]",
        ),
        ({"x": np.array(["a"] * 40), "label": np.arange(40.0)}, "'x' holds text, and the model takes FP32"),
        ({"x": rows(), "label": np.ones((40, 2))}, r"'label' must hold one value a row, not \[2\]"),
        ({"x": rows(), "label": np.ones(40)}, r"the target is 1.0 in all 32 rows"),
        (
            {"x": rows(), "label": np.full(40, np.nan)},
            "'label' is empty in all 40 rows; nothing can be",
        ),
    ],
)
def test_data_that_does_not_fit_is_an_error(
    tmp_path: Path, columns: dict[str, NDArray[np.float32]], message: str
) -> None:
    write_model(tmp_path / "m.onnx")
    np.savez(tmp_path / "rows.npz", **columns)  # type: ignore[arg-type]
    with pytest.raises(DataError, match=message):
        press_file(tmp_path / "m.onnx", tmp_path / "rows.npz", tmp_path / "out", silent=True)
    assert not (tmp_path / "out").exists() or list((tmp_path / "out").iterdir()) == []


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\xff\xff no model", "is no ONNX model"),
        (b"", "is no ONNX model: it has no graph"),
    ],
)
def test_a_file_that_is_no_model_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(BuildError, match=message):
        press_file(tmp_path / "m.onnx", tmp_path / "rows.csv", tmp_path / "out", silent=True)


def test_a_missing_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(BuildError, match=r"m\.onnx cannot be read: No such file"):
        press_file(tmp_path / "m.onnx", tmp_path / "rows.csv", tmp_path / "out", silent=True)


def test_a_model_whose_answer_is_no_label_cannot_be_scored(tmp_path: Path) -> None:
    write_model(tmp_path / "m.onnx", rank=3)
    np.savez(tmp_path / "rows.npz", x=rows()[:, None, :], label=np.arange(40.0))
    with pytest.raises(BuildError, match=r"no output can be compared .* y \(tensor of FP32 \[-1, 1, 1\]\)"):
        press_file(tmp_path / "m.onnx", tmp_path / "rows.npz", tmp_path / "out", silent=True)


def test_weights_beside_the_file_come_into_it(tmp_path: Path) -> None:
    target = rows() @ write_model(tmp_path / "m.onnx")
    model = onnx.load(tmp_path / "m.onnx")
    onnx.save(
        model, tmp_path / "beside.onnx", save_as_external_data=True, location="beside.data", size_threshold=0
    )
    np.savez(tmp_path / "rows.npz", x=rows(), label=target[:, 0].astype(np.float64))
    result = press_file(tmp_path / "beside.onnx", tmp_path / "rows.npz", tmp_path / "out", silent=True)
    assert result.pressed.original.bytes > (tmp_path / "beside.data").stat().st_size
    assert result.original == tmp_path / "beside.onnx"
    # The winner stands alone.
    assert not any(
        tensor.data_location == TensorProto.EXTERNAL
        for tensor in onnx.load(result.model, load_external_data=False).graph.initializer
    )
    (tmp_path / "beside.data").unlink()
    with pytest.raises(BuildError, match=r"beside\.data, which holds weights, cannot be read: No such file"):
        press_file(tmp_path / "beside.onnx", tmp_path / "rows.npz", tmp_path / "out", silent=True)


def test_a_model_beyond_protobufs_limit_is_refused_by_size(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pressing, "MAX_BYTES", 1000)
    write_model(tmp_path / "m.onnx")
    with pytest.raises(BuildError, match=r"m\.onnx has 0\.00 GB with its weights; .* publish it as it is"):
        press_file(tmp_path / "m.onnx", tmp_path / "rows.npz", tmp_path / "out", silent=True)


@pytest.mark.parametrize(
    ("asked", "judged", "ranges"), [(None, 80, 20), (0, 100, 0), (30, 70, 30), (98, 2, 98)]
)
def test_rows_are_judged_by_or_calibrated_with_never_both(
    asked: int | None, judged: int, ranges: int
) -> None:
    held, drawn = divided(HeldOut({"x": np.arange(100)}, np.arange(100)), asked)
    assert len(held) == judged
    np.testing.assert_array_equal(held.inputs["x"], held.target)
    assert (drawn is None) == (ranges == 0)
    both = set(held.target.tolist()) | set([] if drawn is None else drawn["x"].tolist())
    assert len(both) == 100


def test_rows_must_be_left_to_judge_by() -> None:
    with pytest.raises(DataError, match="99 rows to calibrate with leave 1 of 100 to judge by"):
        divided(HeldOut({"x": np.arange(100)}, np.arange(100)), 99)

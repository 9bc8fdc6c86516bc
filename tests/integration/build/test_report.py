"""The report's page in a real browser: complete by itself, readable on light and dark, wide and narrow."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

from coldpress_build.baseline import Baseline
from coldpress_build.crossvalidation import CrossValidation, Fold, Spread
from coldpress_build.engine import Epoch, Fit
from coldpress_build.evaluation.evaluate import Evaluation, evaluate
from coldpress_build.press import measure
from coldpress_build.press.press import Pressed
from coldpress_build.pressing import press_file
from coldpress_build.report.report import Report, Training, write
from coldpress_build.sweep import Sweep, Trial

from ...support.browser import look

# What is on the page, as it is painted. Text that a person cannot read is text that overlaps other text of
# its plot, stands out of its plot, or has next to no contrast.
PROBE = """() => {
  const luminance = (colour) => {
    const parts = colour.match(/[\\d.]+/g).slice(0, 3).map(Number)
      .map((v) => v / 255).map((v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2] }
  const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p)
    return (x + 0.05) / (y + 0.05) }
  const overlapping = [], outside = [], faint = []
  for (const plot of document.querySelectorAll('.plot')) {
    const frame = plot.getBoundingClientRect(), card = getComputedStyle(plot).backgroundColor
    const texts = [...plot.querySelectorAll('svg text')].map((text) => [text, text.getBoundingClientRect()])
    for (const [place, [text, box]] of texts.entries()) {
      const said = text.textContent.trim()
      if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.bottom > frame.bottom + 1)
        outside.push(said)
      const fill = getComputedStyle(text).fill
      if (contrast(fill, card) < 3 && fill !== 'rgb(255, 255, 255)') faint.push(said)
      for (const [other, another] of texts.slice(place + 1)) {
        const width = Math.min(box.right, another.right) - Math.max(box.left, another.left)
        const height = Math.min(box.bottom, another.bottom) - Math.max(box.top, another.top)
        if (width > 2 && height > 3) overlapping.push(said + ' | ' + other.textContent.trim())
      }
    }
  }
  return {
    overlapping, outside, faint,
    plots: document.querySelectorAll('.plot svg').length,
    resources: performance.getEntriesByType('resource').map((entry) => entry.name),
    wide: document.documentElement.scrollWidth - innerWidth,
    width: innerWidth,
    body: contrast(getComputedStyle(document.body).color, getComputedStyle(document.body).backgroundColor),
    dark: luminance(getComputedStyle(document.body).backgroundColor) < 0.2,
    injected: Boolean(window.injected),
    columns: new Set([...document.querySelectorAll('.plot')].map((plot) => plot.offsetLeft)).size,
    tips: document.querySelectorAll('svg title').length,
  }
}"""
CLASSES = (
    "<script>window.injected=1</script>",
    "a class with a name of more than forty letters",
    "c & d",
    "é",
)


@pytest.fixture(scope="module")
def pressed(tmp_path_factory: pytest.TempPathFactory) -> Pressed:
    """A real press of a small model, and then copies of its candidates: many that lie on each other."""
    folder = tmp_path_factory.mktemp("press")
    generator = np.random.default_rng(0)
    w, v = (generator.normal(size=shape).astype(np.float32) for shape in ((4, 64), (64, 1)))
    nodes = [helper.make_node("MatMul", ["x", "w"], ["h"]), helper.make_node("MatMul", ["h", "v"], ["y"])]
    shapes = [("x", ["batch", 4]), ("y", ["batch", 1])]
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes)
    constants = [numpy_helper.from_array(w, "w"), numpy_helper.from_array(v, "v")]
    model = helper.make_model(
        helper.make_graph(nodes, "g", [x], [y], constants),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )
    onnx.save(model, folder / "m.onnx")
    rows = generator.normal(size=(60, 4)).astype(np.float32)
    np.savez(folder / "rows.npz", x=rows, label=(rows @ w @ v)[:, 0])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measure, "ROUNDS", 3)
        found = press_file(folder / "m.onnx", folder / "rows.npz", folder / "out", silent=True).pressed
    made = [one for one in found.candidates if one.figures is not None]
    copies = [replace(made[n % len(made)], name=f"int8-static-entropy-{n}") for n in range(12 - len(made))]
    return replace(found, candidates=(*found.candidates, *copies))


def training(evaluation: Evaluation, classes: tuple[str, ...]) -> Training:
    epochs = tuple(Epoch(n, 1 / n, 0.2 + 1 / n, {"accuracy": 1 - 1 / n}, n, 0.1) for n in range(1, 24))
    fits = tuple(Fit(seed, epochs[-1 - seed], epochs, 3.0) for seed in range(3))
    folds = tuple(Fold(n, 40, evaluation.values(), 0.5 + n / 100, 3, 1.0) for n in range(1, 6))
    metrics = {name: Spread(value, 0.01) for name, value in evaluation.values().items()}
    settings = {"learning_rate": 0.00123456, "a_setting_with_a_long_name_indeed": 64, "batch_size": 32}
    trials = [Trial(n, "complete", 0.5 + ((n * 7) % 10) / 20, 5, settings) for n in range(20)]
    trials += [Trial(20, "pruned", 0.9, 2, settings), Trial(21, "failed", None, 0, settings, "it diverged")]
    best = min(trials[:20], key=lambda trial: trial.loss or 0.0)
    space = dict.fromkeys(settings, "1 to 2")
    return Training(
        recipe="text-classifier",
        config={"epochs": 20, "name": "<b>bold</b>"},
        dataset="made-up",
        fingerprint="0" * 64,
        notes=("3 rows left out",),
        counts={"train": 160, "validation": 20, "test": 200},
        classes=classes,
        parameters=123456,
        fits=fits,
        chosen=fits[0],
        evaluation=evaluation,
        baseline=Baseline("TF-IDF + logistic regression", "accuracy", 0.5, 0.5, 0.3, 1.0, np.zeros(200)),
        export_difference=1e-7,
        cross_validation=CrossValidation(folds, evaluation.main, metrics, "simple", Spread(0.5, 0.01)),
        sweep=Sweep(tuple(trials), best, space, dict.fromkeys(settings, 1 / 3), Path("study.sqlite")),
    )  # fmt: skip


def of_classes(count: int = 4) -> Evaluation:
    generator = np.random.default_rng(1)
    target = generator.integers(0, count, 200)
    scores = generator.dirichlet(np.ones(count), 200) + np.eye(count)[target]
    names = [*CLASSES, *(f"class {n}" for n in range(count))][:count]
    place = np.array(
        [("Saint-Rémy-en-Bouzemont-Saint-Genest-et-Isson", "north", "b", "c")[n % 4] for n in range(200)]
    )
    return evaluate(
        target, scores.argmax(1), names, scores=scores / scores.sum(1, keepdims=True),
        slice_by={"place": place.astype(object), "age": np.arange(200.0)},
        baseline=("TF-IDF + logistic regression", np.zeros(200, int)),
    )  # fmt: skip


def of_values() -> Evaluation:
    generator = np.random.default_rng(2)
    target = generator.normal(size=300) * 1e5
    return evaluate(target, target + generator.normal(size=300) * 1e4, (), baseline=("ridge", target * 0))


def report(pressed: Pressed, found: Training | None) -> Report:
    return Report("text-classifier on made-up", "2026-01-01", pressed, found, {"train": 1.0}, {"torch": "2"})


MAKES: dict[str, Callable[[], Training | None]] = {
    "classes": lambda: training(of_classes(), CLASSES),
    "values": lambda: training(of_values(), ()),
    "pressed": lambda: None,
}


@pytest.fixture(scope="module")
def pages(pressed: Pressed, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Each kind of report, written."""
    folder = tmp_path_factory.mktemp("pages")
    return {kind: write(report(pressed, make()), folder / kind) for kind, make in MAKES.items()}


@pytest.mark.parametrize(
    ("kind", "plots", "width", "dark"),
    [
        ("classes", 10, 1300, True),
        ("classes", 10, 390, False),
        ("values", 7, 1300, False),
        ("pressed", 1, 390, True),
    ],
)
def test_a_person_can_read_it(
    kind: str, plots: int, width: int, dark: bool, pressed: Pressed, pages: dict[str, Path], tmp_path: Path
) -> None:
    seen = look(pages[kind], PROBE, tmp_path, width=width, dark=dark)
    assert (seen["plots"], seen["width"], seen["dark"]) == (plots, width, dark)
    assert seen["resources"] == []
    assert seen["overlapping"] == []
    assert seen["outside"] == []
    assert seen["faint"] == []
    assert seen["wide"] <= 0
    assert seen["body"] > 7
    assert not seen["injected"]
    assert seen["columns"] == (1 if width < 500 or plots == 1 else 3)
    assert seen["tips"] >= len(pressed.candidates) - 5


@pytest.mark.parametrize("count", [30, 60])
def test_many_classes_are_drawn_too(count: int, pressed: Pressed, tmp_path: Path) -> None:
    page = write(report(pressed, training(of_classes(count), ("x",) * count)), tmp_path / "report")
    assert page.stat().st_size < 1_500_000
    seen = look(page, PROBE, tmp_path)
    assert (seen["plots"], seen["overlapping"], seen["outside"]) == (10, [], [])


def test_it_is_the_same_twice(pressed: Pressed, pages: dict[str, Path], tmp_path: Path) -> None:
    assert write(report(pressed, None), tmp_path).read_text() == pages["pressed"].read_text()


def test_it_points_nowhere_and_has_no_id_twice(pages: dict[str, Path]) -> None:
    first = pages["classes"].read_text()
    ids = [part.split('"')[0] for part in first.split(' id="')[1:]]
    assert len(ids) == len(set(ids))
    assert ids  # markers and clips are still there to be referred to
    for name in ids:
        assert f"#{name}" in first
    assert "://" not in first


def test_the_json_has_all_of_it(pages: dict[str, Path]) -> None:
    found: dict[str, Any] = json.loads((pages["classes"].parent / "report.json").read_text())
    assert sorted(found) == ["created", "pressed", "seconds", "title", "training", "versions"]
    one = found["training"]
    assert "answers" not in one["baseline"]
    assert one["sweep"]["best"]["state"] == "complete"
    assert len(one["cross_validation"]["folds"]) == 5
    assert one["evaluation"]["against"]["name"] == "TF-IDF + logistic regression"
    assert [part["value"] for part in one["evaluation"]["slices"]][:1] == [
        "Saint-Rémy-en-Bouzemont-Saint-Genest-et-Isson"
    ]
    assert one["evaluation"]["calibration"]["bins"]

"""The build plane's figures: what they are made of, and that the bare loop does what the engine does."""

import json
import sys
from dataclasses import replace

import pytest

from coldpress_build.config import override
from coldpress_build.engine import fit
from coldpress_build.press.candidates import BASELINE
from coldpress_build.press.gate import Figures, Gate
from coldpress_build.press.heldout import Scoring
from coldpress_build.press.measure import Answers
from coldpress_build.press.press import Candidate, Pressed
from coldpress_build.progress import Progress
from coldpress_build.recipes import find

from ...bench import __main__ as bench
from ...bench import bareloop, gpu, packages, recipes
from ...bench.catalogue import RECIPES


def test_every_row_of_a_recipe_is_measured_with_something() -> None:
    assert {row.rpartition("_")[2] for row in RECIPES} == set(recipes.CASES)


def one(size: int, test: float, milliseconds: float, slower: float) -> Figures:
    answers = Answers("accuracy", test, finite=True, batch_difference=0.0, batch_flips=0)
    return Figures(size, size, True, "", answers, None, test, milliseconds, slower, 1.0, 1.0)


def test_a_press_as_figures() -> None:
    candidates = (
        Candidate(BASELINE, "", one(1000, 90.0, 0.9, 1.0), passed=True, reason=""),
        Candidate("int8", "", one(250, 89.75, 0.2, 0.5), passed=True, reason=""),
    )
    found = Pressed(candidates, "int8", Scoring("label", "accuracy"), Gate(), 100)
    size, latency, accuracy = recipes.pressed("image-cnn", found)
    assert {size.id, latency.id, accuracy.id} < RECIPES
    assert (size.ours, size.peer, size.holds) == (250, 1000, True)
    assert (latency.ours, latency.ratio) == (0.2, 0.5), "beside the original in the same rounds"
    assert (accuracy.ours, accuracy.peer, accuracy.holds) == (0.25, 0.5, True)
    assert not replace(accuracy, ours=0.6).holds


@pytest.mark.parametrize(
    ("recipe", "settings"),
    [
        ("image-cnn", ("max_rows=400",)),
        ("sequence-rnn", ("max_rows=120", "batch_size=32")),  # of different lengths
        ("regressor", ()),
    ],
)
def test_the_bare_loop_does_what_the_engine_does(recipe: str, settings: tuple[str, ...]) -> None:
    kind = find(recipe)
    how = override(kind.config, ["epochs=2", "device=cpu", *settings])
    parts = kind.split(kind.load(None, how), how)
    prepared, classes = kind.prepare(parts, how), len(parts.train.classes)
    train, validation = prepared.batches(parts.train), prepared.batches(parts.validation)
    ours = prepared.build(1.0)
    theirs = prepared.build(1.0)
    theirs.load_state_dict(ours.state_dict())
    done = fit(ours, train, validation, how, 7, Progress(silent=True), classes=classes)
    losses = bareloop.fit(theirs, train, validation, how, 7, classes=classes)
    assert losses == pytest.approx([epoch.validation_loss for epoch in done.epochs], rel=1e-4)
    for name, tensor in ours.state_dict().items():
        assert theirs.state_dict()[name].numpy() == pytest.approx(tensor.numpy(), abs=1e-4), name


def test_a_row_alone_needs_no_package_and_no_store(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "ours", lambda: pytest.fail("nothing of it is asked for"))
    quick = recipes.Case(settings=("epochs=1",), epochs=1, rounds=1)
    monkeypatch.setitem(recipes.CASES, "tabular-mlp", quick)
    wanted = {"press_size_ratio_tabular-mlp", "train_overhead_tabular-mlp"}
    figures = {one.id: one for one in bench._measured(wanted, print, quick=False)}
    assert set(figures) == wanted
    assert 0 < figures["press_size_ratio_tabular-mlp"].ratio <= 1
    assert figures["train_overhead_tabular-mlp"].peer > 0


def test_the_gpu_script_without_one(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture) -> None:
    sizes = "--rows 32 --batch 8 --epochs 2 --width 16 --layers 1 --words 8 --filters 2 --no-compile"
    monkeypatch.setattr(sys, "argv", ["gpu", *sizes.split()])
    gpu.main()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [(line["network"], line["way"]) for line in lines] == [
        (network, way)
        for network in ("text-transformer", "image-cnn resnet18")
        for way in ("engine", "bare loop")
    ]
    assert all(line["rows_per_second"] > 0 and line["mfu"] > 0 for line in lines)
    # A matrix product's backward pass is two of them: three times the forward's 2 FLOPs a weight and word,
    # of which an encoder layer of width 16 has 8 * 16 * 16.
    assert lines[0]["flops_per_row"] > 3 * 2 * 8 * 8 * 16 * 16

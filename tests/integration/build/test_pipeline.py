"""A whole run: data, baseline, train, export, press, report."""

import json
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest

from coldpress_build import pipeline
from coldpress_build.config import override
from coldpress_build.errors import DataError
from coldpress_build.export import TOLERANCE
from coldpress_build.press.candidates import RECIPES
from coldpress_build.recipes.text_classifier import Config
from coldpress_build.result import RunResult
from coldpress_build.serving import ServedModel

SMALL = ("epochs=8", "restarts=2", "dimension=16", "hidden=16", "learning_rate=0.02", "average=0.9")


def write_reviews(path: Path, rows: int = 400) -> Path:
    """Texts of made-up words; which words they have says which class they are, with some noise."""
    generator = np.random.default_rng(0)
    lines = []
    for _ in range(rows):
        good = bool(generator.integers(2))
        told = good if generator.random() < 0.95 else not good
        own = [f"{'good' if told else 'bad'}{n}" for n in generator.integers(0, 40, 4)]
        other = [f"word{n}" for n in generator.integers(0, 400, 12)]
        words = generator.permutation(own + other)
        lines.append(
            json.dumps({"text": " ".join(words).capitalize() + ".", "label": "up" if good else "down"})
        )
    path.write_text("\n".join(lines))
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> RunResult:
    folder = tmp_path_factory.mktemp("small")
    data = write_reviews(folder / "made-up.jsonl")
    return pipeline.run("text-classifier", override(Config, SMALL), folder / "runs", data=data, silent=True)


def test_the_folder_has_all_and_nothing_else(small: RunResult) -> None:
    paths = [path.relative_to(small.folder) for path in small.folder.rglob("*") if path.is_file()]
    events = [path for path in paths if path.parts[0] == "tensorboard"]
    assert sorted(path.parts[1] for path in events) == ["seed-0", "seed-1"]
    files = sorted(str(path) for path in paths if path not in events)
    assert files == [
        "config.json",
        "metrics.csv",
        "metrics.json",
        "model.fp32.onnx",
        "model.onnx",
        "report/index.html",
        "report/report.json",
    ]
    assert [path.name for path in small.folder.parent.iterdir()] == [small.id]


def test_it_learned_and_the_press_kept_it(small: RunResult) -> None:
    assert small.score > 0.8
    assert small.training.counts == {"train": 320, "validation": 40, "test": 40}
    loss = small.pressed.original.answers.score - small.pressed.best.answers.score
    assert loss <= 0.5
    assert small.bytes == small.model.stat().st_size
    assert small.original_bytes == small.original.stat().st_size
    assert list(small.seconds) == ["data", "baseline", "train", "export", "press", "report"]
    best = min(fit.best.validation_loss for fit in small.training.fits)
    assert small.training.chosen.best.validation_loss == best


def test_the_model_tells_what_it_is(small: RunResult) -> None:
    metadata = ServedModel.open(small.model).metadata
    assert json.loads(metadata["coldpress.labels"]) == ["down", "up"]
    assert metadata["coldpress.recipe"] == "text-classifier"
    assert metadata["coldpress.dataset"].startswith("made-up@")
    assert json.loads(metadata["coldpress.metrics"]) == {
        "accuracy": small.score,
        "accuracy_low": small.training.evaluation.score.low,
        "accuracy_high": small.training.evaluation.score.high,
        "baseline_accuracy": small.baseline_score,
    }
    (text,) = json.loads(metadata["coldpress.warmup"])["inputs"]
    assert (text["name"], text["shape"], text["datatype"]) == ("text", [2], "BYTES")
    answer = ServedModel.open(small.model).run({"text": np.array(text["data"], object)})
    assert answer["label"].shape == (2,)


def test_plain_onnxruntime_answers_the_same(small: RunResult) -> None:
    onnx.checker.check_model(str(small.model), full_check=False)
    texts = np.array(["Good1 good2 word3.", "bad1 bad2", ""], object)
    session = onnxruntime.InferenceSession(str(small.model))
    label, scores = session.run(["label", "scores"], {"text": texts})
    served = ServedModel.open(small.model).run({"text": texts})
    assert label.tolist() == served["label"].tolist()
    np.testing.assert_array_equal(scores, served["scores"])


def test_the_report_says_what_was_measured(small: RunResult) -> None:
    report = json.loads((small.folder / "report" / "report.json").read_text())
    assert report["pressed"]["winner"] == small.pressed.winner
    assert [one["name"] for one in report["pressed"]["candidates"]] == [
        "fp32",
        *(recipe.name for recipe in RECIPES),
    ]
    for one in report["pressed"]["candidates"]:
        assert one["passed"] == (one["reason"] == "")
    assert report["training"]["evaluation"]["metrics"]["accuracy"]["value"] == small.score
    assert report["training"]["export_difference"] <= TOLERANCE
    page = small.report.read_text()
    assert "made-up" in page
    assert "://" not in page  # nothing is loaded from elsewhere
    assert f"Published: {small.pressed.winner}, the smallest that passes the gate" in page


def test_metrics_and_settings_are_kept(small: RunResult) -> None:
    metrics = json.loads((small.folder / "metrics.json").read_text())
    assert metrics == json.loads(json.dumps(small.metrics()))
    config = json.loads((small.folder / "config.json").read_text())
    assert (config["recipe"], config["config"]["epochs"], config["config"]["seed"]) == (
        "text-classifier",
        8,
        0,
    )
    assert config["dataset"] == f"made-up@{small.training.fingerprint[:16]}"


def test_the_same_settings_give_the_same_model(small: RunResult, tmp_path: Path) -> None:
    data = write_reviews(tmp_path / "made-up.jsonl")
    again = pipeline.run(
        "text-classifier", override(Config, SMALL), tmp_path / "runs", data=data, silent=True
    )
    assert again.original.read_bytes() == small.original.read_bytes()
    assert again.score == small.score


def test_a_failed_run_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "one.csv").write_text("text,label\na,x\nb,x\n")
    with pytest.raises(DataError, match="all 2 rows are 'x'"):
        pipeline.run("text-classifier", None, tmp_path / "runs", data=tmp_path / "one.csv", silent=True)
    assert not (tmp_path / "runs").exists()


@pytest.mark.slow
def test_movie_reviews_are_learned_better_than_by_the_baseline(tmp_path: Path) -> None:
    result = pipeline.run("text-classifier", None, tmp_path, silent=True)
    assert result.training.counts == {"train": 8452, "validation": 1057, "test": 1057}
    assert result.baseline_score == pytest.approx(0.7729, abs=0.003)
    assert result.score > max(0.775, result.baseline_score)
    reasons = {one.name: one.reason for one in result.pressed.candidates}
    assert "is not smaller as it is served" in reasons["fp16"]
    assert "apart in a batch" in reasons["int8-dynamic"]
    for name in ("int8-static", "int4-weights", "int4-coarse"):
        # A busy machine may measure that, and nothing else may fail.
        assert not reasons[name] or "times the time" in reasons[name]
    if not reasons["int4-coarse"]:
        assert result.pressed.winner == "int4-coarse"
        assert result.bytes < 0.2 * result.original_bytes

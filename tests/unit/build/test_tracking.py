"""What is written of a fit while it runs: metrics.csv, TensorBoard's events, and MLflow on request."""

import csv
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from coldpress_build.config import override
from coldpress_build.errors import ConfigurationError
from coldpress_build.training.results import Epoch
from coldpress_build.training.settings import Training
from coldpress_build.training.tracking import check_installed, tracking

EPOCHS = (
    Epoch(1, 0.9, 0.8, {"accuracy": 0.5}, 10, 0.01),
    Epoch(2, 0.7, 0.6, {"accuracy": 0.75}, 20, 0.005),
)


def told(folder: Path, how: Training) -> None:
    with tracking(folder, "a run", how) as tracker:
        tracker.step(3, 5, 0.95, 0.01)
        for epoch in EPOCHS:
            tracker.epoch(3, epoch)


def test_metrics_csv_has_a_line_an_epoch(tmp_path: Path) -> None:
    told(tmp_path, Training())
    with (tmp_path / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [
        {
            "seed": "3",
            "epoch": str(epoch.number),
            "step": str(epoch.step),
            "learning_rate": str(epoch.learning_rate),
            "train_loss": str(epoch.train_loss),
            "validation_loss": str(epoch.validation_loss),
            "validation_accuracy": str(epoch.metrics["accuracy"]),
        }
        for epoch in EPOCHS
    ]


def test_a_line_is_there_as_soon_as_its_epoch_is_over(tmp_path: Path) -> None:
    with tracking(tmp_path, "a run", Training()) as tracker:
        tracker.epoch(3, EPOCHS[0])
        assert len((tmp_path / "metrics.csv").read_text().splitlines()) == 2


def test_tensorboard_reads_the_events(tmp_path: Path) -> None:
    told(tmp_path, Training())
    events = EventAccumulator(str(tmp_path / "tensorboard" / "seed-3"))  # type: ignore[no-untyped-call]
    events.Reload()  # type: ignore[no-untyped-call]
    found = {
        name: [(scalar.step, round(scalar.value, 6)) for scalar in events.Scalars(name)]  # type: ignore[no-untyped-call]
        for name in events.Tags()["scalars"]  # type: ignore[no-untyped-call]
    }
    assert found == {
        "train/loss so far": [(5, 0.95)],
        "train/learning rate": [(5, 0.01)],
        "train/loss": [(10, 0.9), (20, 0.7)],
        "validation/loss": [(10, 0.8), (20, 0.6)],
        "validation/accuracy": [(10, 0.5), (20, 0.75)],
    }


def test_mlflow_that_is_not_installed_is_told_with_its_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.delitem(sys.modules, "mlflow", raising=False)
    with pytest.raises(
        ConfigurationError, match="tracking=mlflow needs the package mlflow: pip install mlflow"
    ):
        check_installed(override(Training, ["tracking=mlflow"]))
    check_installed(Training())


def test_mlflow_gets_settings_and_figures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[Any, ...]] = []

    def method(name: str) -> Any:
        return lambda *values, **named: calls.append((name, *values, *named.values()))

    names = ("set_experiment", "start_run", "log_params", "log_metrics", "end_run")
    module = SimpleNamespace(**{name: method(name) for name in names}, __spec__=SimpleNamespace())
    monkeypatch.setitem(sys.modules, "mlflow", module)  # type: ignore[arg-type]
    monkeypatch.delenv("MLFLOW_EXPERIMENT_NAME", raising=False)
    for limit in ("TIMEOUT", "MAX_RETRIES"):
        monkeypatch.setenv(f"MLFLOW_HTTP_REQUEST_{limit}", "1")
    told(tmp_path, Training(epochs=7, tracking="mlflow"))
    assert calls[:2] == [("set_experiment", "coldpress"), ("start_run", "a run")]
    assert calls[2][1]["epochs"] == 7
    figures = {"seed_3/train_loss": 0.9, "seed_3/validation_loss": 0.8, "seed_3/validation_accuracy": 0.5}
    assert calls[3] == ("log_metrics", figures, 10)
    assert calls[-1] == ("end_run",)
    assert len(calls) == 6
    assert (tmp_path / "metrics.csv").exists()

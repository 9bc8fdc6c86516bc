"""What a training run has in hand half-way, and what it made in the end."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from coldpress_build.baseline import ACCURACY, R2, Baseline
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts
from coldpress_build.engine import Trained
from coldpress_build.evaluation.evaluate import Evaluation
from coldpress_build.press.candidates import BASELINE
from coldpress_build.press.press import Pressed
from coldpress_build.report.report import Training

KEYS = {ACCURACY: "accuracy", R2: "r2"}
"""What a metric is called where names are identifiers."""


@dataclass(frozen=True)
class Learned:
    """Data, the baseline and a trained network, before the export."""

    recipe: str
    config: Any
    data: Dataset
    parts: Parts
    baseline: Baseline
    trained: Trained

    def training(self, evaluation: Evaluation, export_difference: float) -> Training:
        """What the report says of it."""
        return Training(
            recipe=self.recipe,
            config=asdict(self.config),
            dataset=self.data.name,
            fingerprint=self.data.fingerprint,
            notes=self.data.notes,
            counts=self.parts.counts(),
            classes=self.data.classes,
            parameters=self.trained.parameters,
            fits=self.trained.fits,
            chosen=self.trained.chosen,
            evaluation=evaluation,
            baseline=self.baseline,
            export_difference=export_difference,
        )


@dataclass(frozen=True)
class RunResult:
    """What a run made. `model` is the published file, of `bytes` bytes; `original` the one before the press.

    `seconds` by stage. Scores are of the test part, by `metric`: "accuracy" (0 to 1) or "R²" (at most 1).
    """

    id: str
    folder: Path
    model: Path
    original: Path
    report: Path
    bytes: int
    training: Training
    pressed: Pressed
    seconds: Mapping[str, float]

    @property
    def before(self) -> Path | None:
        """The model before the press, if another took its place."""
        return None if self.pressed.winner == BASELINE else self.original

    @property
    def metric(self) -> str:
        """What scores are of."""
        return self.pressed.scoring.metric

    @property
    def score(self) -> float:
        """Of the published model."""
        return (self.pressed.best.test_score or 0.0) / 100

    @property
    def original_score(self) -> float:
        """Of the model before the press."""
        return (self.pressed.original.test_score or 0.0) / 100

    @property
    def baseline_score(self) -> float:
        """Of the simple model to beat."""
        return self.training.baseline.test

    @property
    def original_bytes(self) -> int:
        """Of the file before the press."""
        return self.pressed.original.bytes

    @property
    def dataset(self) -> str:
        """The data's name; `training.counts` has the rows of each part."""
        return self.training.dataset

    def metrics(self) -> dict[str, Any]:
        """The figures that runs are compared by."""
        key = KEYS[self.metric]
        return {
            **self.training.evaluation.values(),
            key: self.score,
            f"original_{key}": self.original_score,
            f"baseline_{key}": self.baseline_score,
            "winner": self.pressed.winner,
            "bytes": self.bytes,
            "original_bytes": self.original_bytes,
            "served_bytes": self.pressed.best.served_bytes,
            "original_served_bytes": self.pressed.original.served_bytes,
            "latency_ms": self.pressed.best.latency_ms,
            "original_latency_ms": self.pressed.original.latency_ms,
            "parameters": self.training.parameters,
            "rows": dict(self.training.counts),
            "seconds": dict(self.seconds),
        }

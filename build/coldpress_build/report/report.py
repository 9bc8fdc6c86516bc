"""The content of a report, and its files."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from coldpress_build.baseline import Baseline
from coldpress_build.crossvalidation import CrossValidation
from coldpress_build.engine import Fit
from coldpress_build.evaluation.evaluate import Evaluation
from coldpress_build.files import write_atomic
from coldpress_build.press.press import Pressed
from coldpress_build.report.json_text import to_json
from coldpress_build.sweep import Sweep


@dataclass(frozen=True)
class Training:
    """What only a training run knows. `evaluation` is of the published model on the test part."""

    recipe: str
    config: Mapping[str, Any]
    dataset: str
    fingerprint: str
    notes: tuple[str, ...]
    counts: Mapping[str, int]
    classes: tuple[str, ...]
    parameters: int
    fits: tuple[Fit, ...]
    chosen: Fit
    evaluation: Evaluation
    baseline: Baseline
    export_difference: float
    cross_validation: CrossValidation | None = None
    sweep: Sweep | None = None


@dataclass(frozen=True)
class Report:
    """`title` is what was made; `training` is None where an existing model was pressed."""

    title: str
    created: str
    pressed: Pressed
    training: Training | None
    seconds: Mapping[str, float]
    versions: Mapping[str, str]


def write(report: Report, folder: Path) -> Path:
    """Write report.json and index.html into `folder`; answers the page's path."""
    # It describes a Report itself; matplotlib also takes a second to import.
    from coldpress_build.report.page import page

    write_atomic(folder / "report.json", to_json(report))
    return write_atomic(folder / "index.html", page(report))

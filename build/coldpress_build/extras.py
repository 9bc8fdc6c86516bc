"""What a training run finds out besides: cross-validation, a sweep, slices."""

from dataclasses import dataclass, replace
from typing import Any

from coldpress_build.crossvalidation import CrossValidation, check_folds, cross_validate
from coldpress_build.data.dataset import Array, Dataset
from coldpress_build.data.split import Parts
from coldpress_build.errors import ConfigurationError
from coldpress_build.evaluation.slices import check_slices
from coldpress_build.progress import Progress
from coldpress_build.recipes.recipe import Recipe
from coldpress_build.report.report import Training
from coldpress_build.sweep import Plan, Sweep, sweep
from coldpress_build.training import processes


@dataclass(frozen=True)
class Extras:
    """What is asked for. `folds` 0: no cross-validation. `slice_by`: columns, learned from or not."""

    folds: int = 0
    sweep: Plan | None = None
    slice_by: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises `ConfigurationError` for what cannot be."""
        if self.folds:
            check_folds(self.folds)
        if (self.folds or self.sweep) and processes.launched():
            raise ConfigurationError(
                "--cv and --sweep fit one network after another in one process; without torchrun, please"
            )

    def check(self, data: Dataset) -> None:
        """Before anything is trained. Raises `ConfigurationError` for a column that cannot be sliced by."""
        check_slices(list(self.slice_by), {**data.columns, **data.beside})

    def slices(self, data: Dataset) -> dict[str, Array]:
        """The columns to slice by."""
        columns = {**data.columns, **data.beside}
        return {name: columns[name] for name in self.slice_by}


@dataclass(frozen=True)
class Found:
    """What came out; None for what was not asked for."""

    cross_validation: CrossValidation | None = None
    sweep: Sweep | None = None

    def added(self, training: Training) -> Training:
        """`training` with it, for the report."""
        return replace(training, cross_validation=self.cross_validation, sweep=self.sweep)


def find_out(
    kind: Recipe, parts: Parts, config: Any, extras: Extras, progress: Progress
) -> tuple[Found, Any]:
    """The sweep, then the cross-validation of the settings that it chose; answers those settings too."""
    best = folds = None
    if extras.sweep is not None:
        with progress.stage("sweep"):
            best, config = sweep(kind, parts, config, extras.sweep, progress)
            progress.conclude(best.summary())
    if extras.folds:
        with progress.stage("cross-validation"):
            folds = cross_validate(kind, parts, config, extras.folds, progress)
            progress.conclude(
                f"{folds.main} {folds.metrics[folds.main]} over {extras.folds} folds; {folds.baseline}: "
                f"{folds.baseline_spread}"
            )
    return Found(folds, best), config

"""How good a recipe is on all the data: each row is tested once, by a model that never saw it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from statistics import mean, stdev
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.model_selection import KFold, StratifiedKFold, train_test_split

from coldpress_build.data.dataset import Array, Dataset
from coldpress_build.data.split import Parts, check_values
from coldpress_build.engine import train
from coldpress_build.errors import ConfigurationError, DataError
from coldpress_build.evaluation.evaluate import Evaluation, evaluate
from coldpress_build.progress import Progress
from coldpress_build.recipes.recipe import Recipe


@dataclass(frozen=True)
class Spread:
    """Over folds; `deviation` is the standard deviation of a sample (divided by folds - 1)."""

    mean: float
    deviation: float

    def __str__(self) -> str:
        return f"{self.mean:.4f} ± {self.deviation:.4f}"


@dataclass(frozen=True)
class Fold:
    """`metrics` (see `Evaluation`) of the `rows` held out, and the baseline's main one on the same rows."""

    number: int
    rows: int
    metrics: Mapping[str, float]
    baseline: float
    epochs: int
    seconds: float


@dataclass(frozen=True)
class CrossValidation:
    """`main` is the figure that models are compared by; `baseline` is a name."""

    folds: tuple[Fold, ...]
    main: str
    metrics: Mapping[str, Spread]
    baseline: str
    baseline_spread: Spread


def check_folds(count: int) -> None:
    """Raises `ConfigurationError` for a number of folds that cannot be."""
    if not 2 <= count <= 100:
        raise ConfigurationError(f"--cv {count}: the number of folds must be from 2 to 100; 5 is usual")


def cross_validate(
    kind: Recipe, parts: Parts, config: Any, count: int, progress: Progress
) -> CrossValidation:
    """Divide all rows of `parts` into `count` folds, stratified by class; learn `count` times, test on each.

    Everything that is learned, a vocabulary or a mean too, is learned from the fold's own training rows. Its
    validation rows, which choose the epoch, are `config.validation` of all rows, of those not held out.

    Raises:
        ConfigurationError: `count` is out of range.
        DataError: fewer than `count` rows of some class; a part of a fold with the same value in all rows.
        BuildError: see `engine.train`.
    """
    check_folds(count)
    data = _together(parts)
    folds = []
    names: dict[str, None] = {}
    main = ""
    for number, fold in enumerate(_divided(data, config, count), 1):
        started = perf_counter()
        with progress.part(f"fold {number} of {count}", (number - 1) / count):
            baseline = kind.baseline(fold)
            trained = train(kind.prepare(fold, config), fold, config, progress)
            found = evaluated(fold.test, trained.scores(fold.test))
        names[baseline.name] = None
        main = found.main
        epochs, seconds = len(trained.chosen.epochs), perf_counter() - started
        folds.append(Fold(number, len(fold.test), found.values(), baseline.test, epochs, seconds))
    # A fold without a class (it has few rows) may lack the figures that rank it.
    shared = [name for name in folds[0].metrics if all(name in fold.metrics for fold in folds)]
    spreads = {name: _spread([fold.metrics[name] for fold in folds]) for name in shared}
    simple = _spread([fold.baseline for fold in folds])
    return CrossValidation(tuple(folds), main, spreads, " or ".join(names), simple)


def evaluated(data: Dataset, scores: Array) -> Evaluation:
    """What a network answers (`Trained.scores`) against the truth."""
    if data.classes:
        return evaluate(data.target, scores.argmax(1), data.classes, scores=scores)
    return evaluate(data.target, scores, ())


def _spread(values: list[float]) -> Spread:
    return Spread(mean(values), stdev(values))


def _together(parts: Parts) -> Dataset:
    """All rows that the configuration uses, as one data set."""
    of = (parts.train, parts.validation, parts.test)
    columns = {name: np.concatenate([part.columns[name] for part in of]) for name in parts.train.columns}
    target = np.concatenate([part.target for part in of])
    return Dataset(parts.train.name, columns, target, parts.train.classes, parts.train.notes)


def _divided(data: Dataset, config: Any, count: int) -> Iterator[Parts]:
    rarest = int(np.bincount(data.target).min()) if data.classes else len(data) // 2
    if rarest < count:
        what = "rows of the rarest class" if data.classes else "pairs of rows"
        raise DataError(
            f"{data.name}: {rarest} {what} are too few for --cv {count}; use fewer folds or more rows"
        )
    kind = StratifiedKFold if data.classes else KFold
    rows = np.arange(len(data))
    divided = []
    for rest, held in kind(count, shuffle=True, random_state=config.seed).split(rows, data.target):
        classes = data.target[rest] if data.classes else None
        chosen = round(len(data) * config.validation)
        try:
            learned, validation = train_test_split(
                rest, test_size=chosen, stratify=classes, random_state=config.seed
            )
        except ValueError as error:
            raise DataError(
                f"{data.name}: {len(rest)} rows of a fold cannot be divided with "
                f"validation={config.validation}: {error}"
            ) from error
        if not data.classes:
            parts = {
                f"training part of a fold (--cv {count})": learned,
                f"validation part of a fold (validation={config.validation})": validation,
                f"test part of a fold (--cv {count})": held,
            }
            check_values(data, parts)
        divided.append((learned, validation, held))
    # All folds are known to be sound before the first is learned; only one at a time is in memory.
    for learned, validation, held in divided:
        yield Parts(data.take(learned), data.take(validation), data.take(held))

"""K-fold cross-validation: every row tested once, by a model that knows nothing of it."""

from dataclasses import replace
from statistics import mean, stdev

import numpy as np
import pytest

from coldpress_build.config import override
from coldpress_build.crossvalidation import CrossValidation, cross_validate
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts
from coldpress_build.errors import ConfigurationError, DataError
from coldpress_build.progress import Progress
from coldpress_build.recipes.text_classifier import Config as TextConfig
from coldpress_build.recipes.text_classifier import TextClassifier

from ...support.toy import Config, Toy

CONFIG = Config(learning_rate=0.05, epochs=8, width=4)
SILENT = Progress(silent=True)


def validated(count: int, source: str | None = None, config: Config = CONFIG) -> tuple[CrossValidation, Toy]:
    kind = Toy()
    parts = kind.split(kind.load(source, config), config)
    return cross_validate(kind, parts, config, count, SILENT), kind


@pytest.mark.parametrize("source", [None, "classes"])
def test_each_row_is_tested_once_and_never_learned_from_then(source: str | None) -> None:
    found, kind = validated(4, source)
    tested = np.concatenate([parts.test.columns["row"] for parts in kind.seen])
    assert sorted(tested) == list(range(120))
    for parts in kind.seen:
        of = (parts.train, parts.validation, parts.test)
        used = np.concatenate([part.columns["row"] for part in of])
        assert sorted(used) == list(range(120))
        assert len(parts.validation) == 24  # config.validation of all rows
        if source:
            shares = [np.mean(part.target) for part in of]
            assert max(shares) - min(shares) < 0.05
    assert [fold.rows for fold in found.folds] == [30] * 4


def test_it_tells_mean_and_deviation_beside_the_baselines() -> None:
    found, _ = validated(3, "classes")
    for name, spread in found.metrics.items():
        values = [fold.metrics[name] for fold in found.folds]
        assert (spread.mean, spread.deviation) == (pytest.approx(mean(values)), pytest.approx(stdev(values)))
    assert (found.main, found.baseline) == ("accuracy", "a line")
    assert found.metrics["accuracy"].mean > 0.9
    assert found.baseline_spread.mean == pytest.approx(mean(fold.baseline for fold in found.folds))
    assert str(found.metrics["accuracy"]) == f"{found.metrics['accuracy'].mean:.4f} ± " + (
        f"{found.metrics['accuracy'].deviation:.4f}"
    )


def test_values_have_folds_too() -> None:
    found, _ = validated(3)
    assert list(found.metrics) == ["r2", "mae", "rmse", "median_absolute_error"]
    assert found.metrics["r2"].mean > 0.8


def test_the_same_seed_gives_the_same_folds() -> None:
    first, second = (validated(3, "classes")[0] for _ in range(2))
    assert [fold.metrics for fold in first.folds] == [fold.metrics for fold in second.folds]
    other = validated(3, "classes", replace(CONFIG, seed=1))[0]
    assert [fold.metrics for fold in first.folds] != [fold.metrics for fold in other.folds]


def test_a_word_that_tells_its_own_row_is_worth_nothing() -> None:
    # A trap. The class is chance, but each text has words of its own: who has seen a row knows its class.
    labels = np.random.default_rng(0).permutation([0, 1] * 60)
    texts = np.array([f"own{n} own{n} also{n}" for n in range(120)], object)
    data = Dataset.labelled("trap", {"text": texts}, [("no", "yes")[label] for label in labels])
    settings = ("epochs=12", "restarts=1", "learning_rate=0.05", "average=0", "dropout=0", "word_dropout=0")
    config = override(TextConfig, [*settings, "min_count=1", "patience=12"])
    kind = TextClassifier()
    honest = cross_validate(kind, kind.split(data, config), config, 3, SILENT)
    assert honest.metrics["accuracy"].mean < 0.65

    class Leaking(TextClassifier):
        def prepare(self, parts: Parts, config: TextConfig):  # type: ignore[no-untyped-def]
            everything = Dataset(
                "all",
                {"text": np.concatenate([parts.train.columns["text"], parts.test.columns["text"]])},
                np.concatenate([parts.train.target, parts.test.target]),
                parts.train.classes,
            )
            object.__setattr__(parts, "train", everything)
            return super().prepare(parts, config)

    leaked = cross_validate(Leaking(), kind.split(data, config), config, 3, SILENT)
    assert leaked.metrics["accuracy"].mean > 0.9  # the trap works


@pytest.mark.parametrize("count", [1, 101, -3])
def test_a_number_of_folds_that_cannot_be_is_refused(count: int) -> None:
    with pytest.raises(ConfigurationError, match=f"--cv {count}: the number of folds must be from 2 to 100"):
        validated(count)


def test_too_few_rows_of_a_class_are_refused() -> None:
    kind = Toy()
    data = kind.load("classes", CONFIG)
    rare = [*np.flatnonzero(data.target == 0)[:4].tolist(), *np.flatnonzero(data.target == 1).tolist()]
    few = data.take(rare)
    half = Parts(few, few.take([]), few.take([]))
    with pytest.raises(DataError, match="toy: 4 rows of the rarest class are too few for --cv 5"):
        cross_validate(kind, half, CONFIG, 5, SILENT)


def test_progress_says_which_fold(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(silent=True)
    told = []
    progress.tell = told.append  # type: ignore[method-assign]
    kind = Toy()
    parts = kind.split(kind.load("classes", CONFIG), CONFIG)
    cross_validate(kind, parts, CONFIG, 2, progress)
    assert told.count("…") == 2
    assert any(line.startswith("epoch 1 of at most 8") for line in told)
    assert capsys.readouterr() == ("", "")

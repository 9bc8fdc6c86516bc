"""Parts of values that are all the same, which a rare value among many leads to; parts of some rows."""

import numpy as np
import pytest

from coldpress_build.crossvalidation import cross_validate
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.packaged import PACKAGED
from coldpress_build.data.split import Parts, split
from coldpress_build.errors import DataError
from coldpress_build.progress import Progress

from ...support.toy import Config, Toy

ROWS = 40


def valued(values: list[float]) -> Dataset:
    x = np.random.default_rng(0).normal(size=(len(values), 3)).astype(np.float32)
    return Dataset.valued("some", {"x": x, "row": np.arange(len(values))}, np.array(values))


def constant(part: str) -> Dataset:
    """Values that vary everywhere but in one part of the division by 0.2, 0.2 and seed 0."""
    rows = getattr(split(valued([float(n) for n in range(ROWS)]), 0.2, 0.2, 0), part).columns["row"]
    return valued([-1.0 if n in rows else float(n) for n in range(ROWS)])


@pytest.mark.parametrize(
    ("part", "said"),
    [
        ("train", r"training part \(what validation=0\.2 and test=0\.2 leave\), 24"),
        ("validation", r"validation part \(validation=0\.2\), 8"),
        ("test", r"test part \(test=0\.2\), 8"),
    ],
)
def test_a_part_in_which_nothing_varies_is_refused(part: str, said: str) -> None:
    with pytest.raises(DataError, match=rf"^some: the target is -1\.0 in all rows of the {said} in number"):
        split(constant(part), 0.2, 0.2, 0)
    assert split(constant(part), 0.2, 0.2, 1).counts() == {"train": 24, "validation": 8, "test": 8}


def test_a_part_of_one_row_is_refused() -> None:
    with pytest.raises(DataError, match=r"in all rows of the test part \(test=0\.1\), 1 in number"):
        split(valued([float(n) for n in range(10)]), 0.2, 0.1, 0)


def test_classes_may_have_a_part_of_one_class() -> None:
    labels = Dataset.labelled("some", {"x": np.arange(10)}, ["a"] * 5 + ["b"] * 5)
    assert split(labels, 0.2, 0.2, 0).counts() == {"train": 6, "validation": 2, "test": 2}


def test_folds_are_refused_before_the_first_is_learned() -> None:
    kind, config = Toy(), Config()  # with seed 0 the first of the folds would do
    data = valued([float(n) if n < 8 else 0.0 for n in range(ROWS)])
    half = data.take(range(20)), data.take(range(20, ROWS))
    parts = Parts(half[0], half[1].take(range(10)), half[1].take(range(10, 20)))
    with pytest.raises(DataError, match=r"the target is 0\.0 in all rows of the .* part of a fold"):
        cross_validate(kind, parts, config, 8, Progress(silent=True))
    assert not kind.seen


@pytest.mark.parametrize("limit", [149, 148, 147, 120])
def test_nearly_all_rows_can_be_drawn(limit: int) -> None:
    parts = split(PACKAGED["iris"](), 0.15, 0.2, seed=0, limit=limit)
    assert sum(parts.counts().values()) == limit
    for part in (parts.train, parts.validation, parts.test):
        counts = np.bincount(part.target, minlength=3)
        assert counts.max() - counts.min() <= 2

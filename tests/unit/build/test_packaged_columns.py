"""Settings that name columns, with a packaged set."""

from typing import Any

import numpy as np
import pytest

from coldpress_build.config import override
from coldpress_build.data.packaged import PACKAGED
from coldpress_build.errors import DataError
from coldpress_build.recipes import find

IRIS = ["sepal_length", "sepal_width", "petal_length", "petal_width"]


def load(recipe: str, *pairs: str) -> Any:
    kind = find(recipe)
    return kind.load(None, override(kind.config, pairs))


def test_columns_are_left_out_and_stay_to_slice_by() -> None:
    data = load("tabular-mlp", "ignore=petal_width,sepal_width")
    assert list(data.columns) == ["sepal_length", "petal_length"]
    assert list(data.beside) == ["petal_width", "sepal_width"]
    assert data.fingerprint != PACKAGED["iris"]().fingerprint
    matrix = load("tabular-mlp", "ignore=petal_width", "inputs=matrix")
    assert matrix.columns["features"].shape == (150, 3)


def test_numbers_can_be_names() -> None:
    data = load("regressor", "categories=sex")
    assert data.columns["sex"].dtype == object
    assert len(set(data.columns["sex"])) == 2
    assert data.columns["age"].dtype == np.float32


def test_without_them_a_packaged_set_is_as_it_is() -> None:
    data = load("tabular-mlp", "target=target")
    assert (list(data.columns), data.fingerprint) == (IRIS, PACKAGED["iris"]().fingerprint)


@pytest.mark.parametrize(
    ("recipe", "pair", "message"),
    [
        ("tabular-mlp", "ignore=nosuch", r"iris has no column 'nosuch' \(named by ignore\); it has 'sep"),
        ("regressor", "categories=zip", r"diabetes has no column 'zip' \(named by categories\); it has "),
        ("tabular-mlp", f"ignore={','.join(IRIS)}", "iris has no column left to learn from; take some"),
        ("tabular-mlp", "target=petal_width", "target=petal_width: the packaged set iris has one thing to"),
        ("image-cnn", "target=size", "target=size: the packaged set digits has one .*; leave out"),
    ],
)  # fmt: skip
def test_columns_that_are_not_there_are_refused(recipe: str, pair: str, message: str) -> None:
    with pytest.raises(DataError, match=message):
        load(recipe, pair)


@pytest.mark.parametrize("recipe", ["text-classifier", "text-transformer", "sequence-rnn"])
def test_sets_that_are_fetched_are_refused_before_that(recipe: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("movie-review-snippets", "japanese-vowels"):
        monkeypatch.setitem(PACKAGED, name, pytest.fail)
    with pytest.raises(DataError, match="target=stars: the packaged set"):
        load(recipe, "target=stars")

"""Data sets: classes, values, fingerprints, and their division."""

from collections import Counter
from itertools import chain

import numpy as np
import pytest

from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts, split
from coldpress_build.errors import DataError


def texts_of(texts: list[str], labels: list[str], name: str = "some") -> Dataset:
    return Dataset.labelled(name, {"text": np.array(texts, object)}, labels, ["a note"])


def rows(count: int = 100) -> Dataset:
    return texts_of([f"text {n}" for n in range(count)], ["ab"[n % 5 == 0] for n in range(count)])


def values_of(values: list[float]) -> Dataset:
    return Dataset.valued("some", {"x": np.arange(len(values), dtype=np.float32)}, np.array(values))


def prints(parts: Parts) -> list[str]:
    return [part.fingerprint for part in (parts.train, parts.validation, parts.test)]


def test_labels_become_indices_of_the_sorted_classes() -> None:
    data = texts_of(["x", "y", "z"], ["good", "bad", "good"])
    assert (data.target.tolist(), data.classes, data.notes) == ([1, 0, 1], ("bad", "good"), ("a note",))
    assert (data.task, data.answers.tolist()) == ("classification", ["good", "bad", "good"])
    assert data.take([2, 0]).columns["text"].tolist() == ["z", "x"]
    assert data.take([2, 1]).target.tolist() == [1, 0]


def test_classes_that_are_numbers_are_sorted_by_value() -> None:
    assert texts_of(["x"] * 4, ["10", "9", "none", "-1"]).classes == ("-1", "9", "10", "none")


def test_values_make_a_regression() -> None:
    data = values_of([1, 2.5])
    assert (data.task, data.classes, data.target.dtype) == ("regression", (), np.float32)
    assert data.answers.tolist() == [1.0, 2.5]


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([], "it has no rows"),
        ([2, 2], "the target is 2.0 in all 2 rows"),
        ([1, float("nan")], "the target of row 2 is nan"),
    ],
)
def test_values_that_teach_nothing_are_refused(values: list[float], message: str) -> None:
    with pytest.raises(DataError, match=message):
        values_of([float(value) for value in values])


def test_columns_have_as_many_rows_as_the_target() -> None:
    with pytest.raises(ValueError, match="x has 3 rows, the target has 2"):
        Dataset("some", {"x": np.zeros(3)}, np.zeros(2), ())


def test_the_fingerprint_is_of_the_rows_in_order() -> None:
    data = texts_of(["x", "é"], ["a", "b"])
    renamed = texts_of(["x", "é"], ["a", "b"], "other")
    golden = "9ee8326fb3a79b6c6758538555b5fa9bec2d94a785c761d731a47769d3b5f7f2"
    assert data.fingerprint == renamed.fingerprint == golden
    assert data.reference == f"some@{data.fingerprint[:16]}"
    others = [
        texts_of(["é", "x"], ["a", "b"]),
        texts_of(["xé", ""], ["a", "b"]),
        texts_of(["x", "é"], ["a", "c"]),
    ]
    others += [Dataset("some", {"text": data.columns["text"]}, data.target[::-1], data.classes)]
    others += [Dataset("some", {"t": data.columns["text"]}, data.target, data.classes)]
    assert len({data.fingerprint, *(other.fingerprint for other in others)}) == 1 + len(others)


def test_the_fingerprint_is_of_numbers_in_their_type_and_shape() -> None:
    column = np.arange(6, dtype=np.float32).reshape(2, 3)
    columns = [column, column.astype(np.float64), column.reshape(2, 3, 1), column + 1, column[:, ::-1]]
    found = {Dataset("x", {"a": c, "b": c}, np.zeros(2), ()).fingerprint for c in columns}
    assert len(found) == len(columns)
    ordered = [Dataset("x", dict(order), np.zeros(2), ()) for order in ([("a", column), ("b", column + 1)],)]
    swapped = Dataset("x", {"b": column + 1, "a": column}, np.zeros(2), ())
    assert ordered[0].fingerprint == swapped.fingerprint


@pytest.mark.parametrize(
    ("labels", "message"),
    [([], "it has no rows"), (["a", "a"], "all 2 rows are 'a'")],
)
def test_fewer_than_two_classes_are_refused(labels: list[str], message: str) -> None:
    with pytest.raises(DataError, match=message):
        texts_of(["x"] * len(labels), labels)


def test_parts_share_no_row_and_have_the_same_shares_of_the_classes() -> None:
    data = rows()
    parts = split(data, 0.2, 0.1, seed=0)
    assert parts.counts() == {"train": 70, "validation": 20, "test": 10}
    drawn = [part.columns["text"].tolist() for part in (parts.train, parts.validation, parts.test)]
    assert Counter(chain(*drawn)) == Counter(data.columns["text"].tolist())
    assert [float(np.mean(part.target == 0)) for part in (parts.train, parts.validation, parts.test)] == [
        0.8
    ] * 3


def test_values_are_divided_without_classes() -> None:
    parts = split(values_of([float(n) for n in range(100)]), 0.2, 0.1, seed=0)
    assert parts.counts() == {"train": 70, "validation": 20, "test": 10}
    drawn = [*parts.train.target, *parts.validation.target, *parts.test.target]
    assert sorted(drawn) == list(range(100))


def test_the_seed_decides_the_parts() -> None:
    assert prints(split(rows(), 0.2, 0.1, 0)) == prints(split(rows(), 0.2, 0.1, 0))
    assert prints(split(rows(), 0.2, 0.1, 0)) != prints(split(rows(), 0.2, 0.1, 1))
    assert sum(split(rows(), 0.2, 0.1, 0, limit=50).counts().values()) == 50


def test_too_few_rows_of_a_class_are_an_error() -> None:
    with pytest.raises(DataError, match=r"^some: 3 rows, 1 of class 'b', cannot be divided"):
        split(texts_of(["x", "y", "z"], ["a", "a", "b"]), 0.1, 0.1, 0)
    with pytest.raises(DataError, match=r"^some: 2 rows cannot be divided with .*test=0\.1; give more rows$"):
        split(values_of([1.0, 2.0]), 0.1, 0.1, 0)

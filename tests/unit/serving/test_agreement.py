"""How far two models' answers are apart."""

from array import array
from math import inf, nan

import numpy as np
import pytest

from coldpress.agreement import Agreement, compare
from coldpress.tensors import Tensor


def floats(values: list[float], *shape: int, name: str = "y") -> Tensor:
    return Tensor(name, "FP32", shape or (len(values),), array("f", values))


def test_scores_agree_where_the_same_class_is_the_largest() -> None:
    one = floats([0.75, 0.25, 0.5, 0.25], 2, 2)
    other = floats([0.5, 0.25, 0.125, 0.25], 2, 2)
    assert compare([one], [other]) == Agreement(0.5, 0.375)


def test_labels_and_scores_must_both_agree() -> None:
    labels = Tensor("label", "BYTES", (2,), [b"good", b"bad"])
    others = Tensor("label", "BYTES", (2,), [b"good", b"good"])
    scores = floats([1.0, 0.0, 0.0, 1.0], 2, 2)
    swapped = floats([0.0, 1.0, 0.0, 1.0], 2, 2)
    assert compare([labels, scores], [others, scores]) == Agreement(0.5, 0.0)
    assert compare([labels, scores], [others, swapped]) == Agreement(0.0, 1.0)


def test_outputs_with_other_numbers_of_rows_hide_nothing() -> None:
    def label(*values: int, name: str = "label") -> Tensor:
        return Tensor(name, "INT64", (len(values),), array("q", values))

    total, other_total = label(7, name="total"), label(8, name="total")
    none = floats([], 0, 2, name="none")
    for order in (1, -1):
        assert compare([label(1, 2, 3), total][::order], [label(4, 5, 6), total]) == Agreement(0.0, None)
        assert compare([label(1, 2), total][::order], [label(1, 5), total]) == Agreement(0.5, None)
        assert compare([label(1, 2), total][::order], [label(1, 2), other_total]) == Agreement(0.0, None)
        assert compare([label(1, 2), none][::order], [label(1, 5), none]) == Agreement(0.5, 0.0)
    # With a third one in between, the first and the last are still of the same rows.
    last = label(1, 2, name="last")
    swapped = label(9, 2, name="last")
    assert compare([label(1, 2), total, last], [label(1, 9), total, swapped]) == Agreement(0.0, None)


def test_one_float_a_row_has_a_difference_but_no_class() -> None:
    assert compare([floats([1.0, 2.0])], [floats([1.0, 4.5])]) == Agreement(1.0, 2.5)


@pytest.mark.parametrize(
    ("one", "other", "difference"),
    [
        ([nan], [nan], 0.0),
        ([nan], [1.0], inf),
        ([inf], [inf], 0.0),
        ([inf], [1.0], inf),
        ([inf], [-inf], inf),
    ],
)
def test_numbers_that_are_not_finite(one: list[float], other: list[float], difference: float) -> None:
    assert compare([floats(one)], [floats(other)]).difference == difference


def test_half_precision_and_whole_numbers() -> None:
    halves = [np.array(values, np.float16).data for values in ([1.0, 2.0], [1.5, 2.0])]
    assert compare(*([Tensor("y", "FP16", (2,), data)] for data in halves)) == Agreement(1.0, 0.5)
    upper = [
        (np.array(values, np.float32).view(np.uint32) >> 16).astype(np.uint16).data for values in ([3], [2])
    ]
    assert compare(*([Tensor("y", "BF16", (1,), data)] for data in upper)) == Agreement(1.0, 1.0)
    numbers = [Tensor("y", "INT64", (2, 2), array("q", values)) for values in ([1, 2, 3, 4], [1, 2, 3, 5])]
    assert compare(numbers[:1], numbers[1:]) == Agreement(0.5, None)


def test_other_outputs_types_or_shapes_never_agree() -> None:
    y = floats([1.0, 2.0])
    for other in (floats([1.0, 2.0], name="z"), floats([1.0, 2.0], 1, 2), floats([1.0])):
        assert compare([y], [other]) == Agreement(0.0, None)
    assert compare([y], [Tensor("y", "FP64", (2,), array("d", [1.0, 2.0]))]) == Agreement(0.0, None)
    assert compare([], []) == Agreement(1.0, None)
    assert compare([floats([], 0, 3)], [floats([], 0, 3)]) == Agreement(1.0, 0.0)

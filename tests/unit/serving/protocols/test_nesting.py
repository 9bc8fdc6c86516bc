"""Nested JSON lists <-> shape and flat values."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldpress.errors import InvalidRequest
from coldpress.protocols.nesting import flat_of, nest, rectangle

SHAPES = st.lists(st.integers(0, 4), max_size=5)


@given(SHAPES)
def test_there_and_back(shape: list[int]) -> None:
    array = np.arange(int(np.prod(shape))).reshape(shape)
    nested = array.tolist()
    assert nest(array.ravel().tolist(), shape) == nested
    # Behind a zero there is nothing to tell further dimensions from.
    kept = shape[: shape.index(0) + 1] if 0 in shape else shape
    assert rectangle(nested, "x", 5) == (kept, array.ravel().tolist())


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ([[1, 2], [3]], "input 'x' is ragged: lists of 1 and of 2 side by side"),
        ([[[1], [2]], [[3], []]], "input 'x' is ragged: lists of 0 and of 1 side by side"),
        ([[1], 2], "input 'x' mixes lists and values on one level"),
        ([[[1]]], "input 'x' is nested deeper than 2 levels"),
    ],
)
def test_refused(value: list[object], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        rectangle(value, "x", 2 if "deeper" in message else 9)
    assert str(caught.value) == message


def test_a_list_behind_a_value_is_left_to_the_check_of_the_values() -> None:
    assert rectangle([1, [2]], "x", 9) == ([2], [1, [2]])


@pytest.mark.parametrize(
    ("data", "shape"),
    [
        ([1, 2, 3, 4], [2, 2]),
        ([[1, 2], [3, 4]], [2, 2]),
        ([[[1, 2], [3, 4]]], [2, 2]),
        ([[1, 2], [3, 4]], [1, 2, 1, 2]),
        ([[1], [2], [3], [4]], [4]),
    ],
)
def test_data_is_flat_or_nested_as_the_shape_says(data: list[object], shape: list[int]) -> None:
    assert flat_of(data, shape, "x", 9) == [1, 2, 3, 4]


@pytest.mark.parametrize(("data", "shape"), [(5, []), ([5], []), (5, [1])])
def test_a_single_value_may_be_bare(data: object, shape: list[int]) -> None:
    assert flat_of(data, shape, "x", 9) == [5]


@pytest.mark.parametrize("data", [[], [[]], [[], []]])
def test_nothing_has_no_order(data: list[object]) -> None:
    assert flat_of(data, [0, 3], "x", 9) == []


def test_another_nesting_is_another_order_of_values() -> None:
    with pytest.raises(InvalidRequest) as caught:
        flat_of([[1, 2], [3, 4], [5, 6]], [2, 3], "x", 9)
    assert str(caught.value) == "input 'x': data is nested as [3, 2], but shape is [2, 3]"

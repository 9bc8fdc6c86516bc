"""Requests made up from declared inputs."""

from coldpress.ingest import warmups
from coldpress.ort import TensorSpec
from coldpress.tensors import DATATYPES, Tensor, check, element_count


def shapes(*specs: TensorSpec) -> list[list[list[int]]]:
    return [[row["shape"] for row in request["inputs"]] for request in warmups.candidates(specs)]


def test_fixed_shapes_give_one_request() -> None:
    spec = TensorSpec("x", "FP32", (1, 3, 8, 8))
    assert list(warmups.candidates([spec])) == [
        {"inputs": [{"name": "x", "shape": [1, 3, 8, 8], "datatype": "FP32"}]}
    ]
    assert not warmups.is_variable([spec])


def test_variable_dimensions_grow_together_and_the_batch_is_also_tried_as_one() -> None:
    spec = TensorSpec("x", "FP32", (-1, 3, -1), ("n", "", "t"))
    assert shapes(spec) == [
        [[1, 3, 1]],
        *([shape] for size in (2, 8, 16, 32, 64, 224) for shape in ([1, 3, size], [size, 3, size])),
    ]
    assert warmups.is_variable([spec])


def test_dimensions_of_one_name_have_one_size() -> None:
    a = TensorSpec("a", "INT64", (-1, -1), ("batch", "time"))
    b = TensorSpec("b", "INT64", (-1, -1), ("time", "batch"))
    for first, second in shapes(a, b):
        assert first == second[::-1]


def test_undeclared_ranks_are_tried() -> None:
    found = shapes(TensorSpec("x", "FP32", ranked=False))
    assert found[:5] == [[[1]], [[1, 1]], [[1, 1, 1]], [[1, 1, 1, 1]], [[]]]
    assert [[224, 224]] in found
    assert all(element_count(shape) <= warmups.MAX_ELEMENTS for (shape,) in found)


def test_no_input_gives_one_empty_request() -> None:
    assert list(warmups.candidates([])) == [{"inputs": []}]


def test_noise_is_legal_repeatable_and_not_zero() -> None:
    zeros = [
        Tensor(name, name, (3, 700), bytes(2100 * row.size) if row.size else [b""] * 2100)
        for name, row in DATATYPES.items()
    ]
    first, second = warmups.noise(zeros), warmups.noise(zeros)
    assert first == second
    for tensor, zero in zip(first, zeros, strict=True):
        check(tensor)
        assert tensor != zero

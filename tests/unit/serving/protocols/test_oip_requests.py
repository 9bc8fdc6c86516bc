"""Open Inference Protocol: requests in JSON, and what is wrong with them."""

from typing import Any

import pytest

from coldpress.errors import ColdpressError, InvalidRequest, Unsupported
from coldpress.protocols import oip
from coldpress.protocols.inference import Inference
from coldpress.protocols.oip.inference import Form, Output
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.tensors import Tensor

ROUTE = Route("oip", "infer", "m")
X = {"name": "x", "datatype": "INT32", "shape": [2, 2], "data": [1, 2, 3, 4]}
FOUR = bytes([1, 0, 0, 0, 2, 0, 0, 0, 3, 0, 0, 0, 4, 0, 0, 0])


@pytest.fixture
def decode(manifest, request_of):
    def run(body: Any, settings: Settings = Settings(), **headers: str) -> Inference:
        return oip.decode(request_of(body, **headers), ROUTE, manifest(), settings)

    return run


def test_the_least_and_the_most_that_a_request_says(decode) -> None:
    x = Tensor("x", "INT32", (2, 2), FOUR)
    assert decode({"inputs": [X]}) == Inference([x], None, Form(None, (), binary=False))
    most = {
        "id": "42",
        "parameters": {"sequence_id": 7, "priority": 1, "timeout": 5, "mine": "x"},
        "inputs": [
            X | {"parameters": {"any": True}},
            {"name": "t", "datatype": "BYTES", "shape": [], "data": ["a"]},
        ],
        "outputs": [
            {"name": "y", "parameters": {"classification": 3, "binary_data": False}},
            {"name": "z", "parameters": {"binary_data": True}},
            {"name": "w"},
        ],
    }
    asked = (Output("y", binary=False, classes=3), Output("z", binary=True), Output("w", binary=False))
    assert decode(most) == Inference(
        [x, Tensor("t", "BYTES", (), [b"a"])], ["y", "z", "w"], Form("42", asked, binary=False)
    )


def test_binary_is_asked_for_once_for_all_outputs_or_for_each(decode) -> None:
    everywhere = {"inputs": [X], "parameters": {"binary_data_output": True}}
    assert decode(everywhere).form == Form(None, (), binary=True)
    mixed = everywhere | {"outputs": [{"name": "a"}, {"name": "b", "parameters": {"binary_data": False}}]}
    assert decode(mixed).form.outputs == (Output("a", binary=True), Output("b", binary=False))


@pytest.mark.parametrize("outputs", [None, []])
def test_no_outputs_are_all_outputs(decode, outputs) -> None:
    assert decode({"inputs": [X], "outputs": outputs}).outputs is None


def test_a_model_without_inputs(manifest, request_of) -> None:
    assert oip.decode(request_of({"inputs": []}), ROUTE, manifest([]), Settings()).tensors == []


@pytest.mark.parametrize("field", ["id", "parameters", "outputs"])
def test_null_is_nothing(decode, field: str) -> None:
    assert decode({"inputs": [X], field: None}) == decode({"inputs": [X]})


@pytest.mark.parametrize(
    ("shape", "data"), [([], 5), ([], [5]), ([0], []), ([0, 3], []), ([2, 0], [[], []]), ([1, 1], [[5]])]
)
def test_scalars_and_empty_tensors(decode, shape: list[int], data: Any) -> None:
    tensor = decode({"inputs": [X | {"shape": shape, "data": data}]}).tensors[0]
    assert tensor.shape == tuple(shape)
    assert bytes(tensor.data) == (b"\5\0\0\0" if 0 not in shape else b"")


def changed(**changes: Any) -> dict[str, Any]:
    return {"inputs": [X | changes]}


def without(field: str) -> dict[str, Any]:
    return {"inputs": [{key: value for key, value in X.items() if key != field}]}


SHAPE = '{"name", "shape", "datatype", "data"}'
BAD: list[tuple[Any, str]] = [
    ([], f'the body must be a JSON object: {{"inputs": [{SHAPE}]}}'),
    ({}, f'"inputs" must be a list of tensors: [{SHAPE}]'),
    ({"inputs": []}, f'"inputs" must be a list of tensors: [{SHAPE}]'),
    ({"inputs": {"x": 1}}, f'"inputs" must be a list of tensors: [{SHAPE}]'),
    ({"inputs": [1]}, f"each input must be an object: {SHAPE}"),
    (without("name"), "input '?' has no 'name'"),
    (without("shape"), "input 'x' has no 'shape'"),
    (without("datatype"), "input 'x' has no 'datatype'"),
    (without("data"), "input 'x' has neither 'data' nor a binary_data_size"),
    (changed(name=1), "an input's name and datatype must be text; got 1 and 'INT32'"),
    (changed(datatype=None), "an input's name and datatype must be text; got 'x' and None"),
    (changed(shape=4), "input 'x': shape must be a list of whole numbers from 0, not 4"),
    (changed(shape=[-1, 4]), "input 'x': shape must be a list of whole numbers from 0, not [-1, 4]"),
    (changed(shape=[2.0, 2]), "input 'x': shape must be a list of whole numbers from 0, not [2.0, 2]"),
    (changed(shape=[True, 4]), "input 'x': shape must be a list of whole numbers from 0, not [True, 4]"),
    (changed(shape=[5]), "input 'x': shape [5] needs 5 values, data has 4"),
    (changed(data=None), "input 'x': shape [2, 2] needs 4 values, data has 1"),
    (changed(data=[[1, 2], [3]]), "input 'x' is ragged: lists of 1 and of 2 side by side"),
    (changed(data=[[1, 2], 3]), "input 'x' mixes lists and values on one level"),
    (changed(parameters=[]), "input 'x': parameters must be an object, not []"),
    (changed() | {"parameters": 1}, "the request: parameters must be an object, not 1"),
    (changed() | {"id": 7}, "id must be text, not 7"),
    (changed() | {"outputs": "y"}, '"outputs" must be a list of objects with a name: [{"name": "scores"}]'),
    (changed() | {"outputs": [{}]}, '"outputs" must be a list of objects with a name: [{"name": "scores"}]'),
    (
        changed() | {"outputs": [{"name": "y"}, {"name": "y"}]},
        "an output is asked for twice; each name may appear once",
    ),
    (
        changed() | {"outputs": [{"name": "y", "parameters": 0}]},
        "output 'y': parameters must be an object, not 0",
    ),
    (
        changed(parameters={"binary_data_size": 16}),
        "input 'x' has both 'data' and a binary_data_size; give one",
    ),
    (
        {"inputs": [{**without("data")["inputs"][0], "parameters": {"binary_data_size": 16}}]},
        "input 'x' has a binary_data_size, but the header inference-header-content-length is missing",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("body", "message"), BAD, ids=[message[:50] for _, message in BAD])
def test_refused(decode, body: Any, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("body", "where"),
    [
        (changed(parameters={"shared_memory_region": "r"}), "input 'x'"),
        (changed() | {"outputs": [{"name": "y", "parameters": {"shared_memory_region": "r"}}]}, "output 'y'"),
    ],
)
def test_shared_memory(decode, body: Any, where: str) -> None:
    with pytest.raises(Unsupported) as caught:
        decode(body)
    assert str(caught.value) == (f"{where}: there is no shared memory with this server; send the data itself")


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (Settings(max_inputs=1), "the request has 2 inputs, the limit is 1"),
        (Settings(max_json_depth=1), "input 'x' is nested deeper than 1 levels"),
        (Settings(max_elements=3), "input 'x': shape [2, 2] has more than 3 elements, which is the limit; "),
    ],
)
def test_limits_are_settings(decode, settings: Settings, message: str) -> None:
    twice = {"inputs": [X | {"data": [[1, 2], [3, 4]]}, X | {"name": "z"}]}
    assert len(decode(twice).tensors) == 2
    with pytest.raises(ColdpressError) as caught:
        decode(twice, settings)
    assert str(caught.value).startswith(message)

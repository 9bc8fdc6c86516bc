"""Open Inference Protocol: answers, to the byte."""

import json
import struct
from typing import Any

import pytest

from coldpress.errors import InvalidRequest, TooLarge, Unprocessable
from coldpress.gateway import Response
from coldpress.protocols import oip
from coldpress.protocols.inference import Inference
from coldpress.protocols.oip import inference as module
from coldpress.protocols.oip.inference import Form, Output
from coldpress.tensors import Tensor

SCORES = Tensor("scores", "FP32", (1, 2), struct.pack("<2f", 0.25, -2.0))
TEXTS = Tensor("texts", "BYTES", (2,), ["ä".encode(), b""])
JSON = {"content-type": "application/json"}


@pytest.fixture
def encode(manifest):
    def run(
        tensors: list[Tensor],
        asked: tuple[Output, ...] = (),
        request_id: str | None = None,
        binary: bool = False,
        **model: Any,
    ) -> Response:
        inference = Inference([], None, Form(request_id, asked, binary))
        return oip.encode(inference, manifest(**model), tensors)

    return run


def test_json_to_the_byte(encode) -> None:
    body = (
        '{"model_name":"m","model_version":"3","id":"é","outputs":['
        '{"name":"scores","datatype":"FP32","shape":[1,2],"data":[0.25,-2.0]},'
        '{"name":"texts","datatype":"BYTES","shape":[2],"data":["ä",""]}]}'
    )
    assert encode([SCORES, TEXTS], request_id="é") == Response(200, JSON, body.encode())


def test_binary_to_the_byte(encode) -> None:
    text = (
        b'{"model_name":"m","model_version":"3","outputs":['
        b'{"name":"scores","datatype":"FP32","shape":[1,2],"parameters":{"binary_data_size":8}},'
        b'{"name":"texts","datatype":"BYTES","shape":[2],"parameters":{"binary_data_size":10}}]}'
    )
    data = struct.pack("<2f", 0.25, -2.0) + b"\2\0\0\0\xc3\xa4" + b"\0\0\0\0"
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(len(text)),
    }
    assert encode([SCORES, TEXTS], binary=True) == Response(200, headers, text + data)


def test_some_binary_some_json(encode) -> None:
    answer = encode([TEXTS, SCORES], (Output("texts", binary=False), Output("scores", binary=True)))
    length = int(answer.headers["inference-header-content-length"])
    assert json.loads(answer.body[:length])["outputs"] == [
        {"name": "texts", "datatype": "BYTES", "shape": [2], "data": ["ä", ""]},
        {"name": "scores", "datatype": "FP32", "shape": [1, 2], "parameters": {"binary_data_size": 8}},
    ]
    assert answer.body[length:] == SCORES.data


@pytest.mark.parametrize("request_id", ["", "0", '"', "\ud800"])
def test_an_id_is_echoed_whatever_it_is(encode, request_id: str) -> None:
    assert json.loads(encode([SCORES], request_id=request_id).body)["id"] == request_id


def test_no_id_no_echo(encode) -> None:
    assert "id" not in json.loads(encode([SCORES]).body)


def test_empty_and_scalar_outputs(encode) -> None:
    tensors = [Tensor("none", "FP32", (0, 4), b""), Tensor("one", "INT64", (), bytes(8))]
    assert json.loads(encode(tensors).body)["outputs"] == [
        {"name": "none", "datatype": "FP32", "shape": [0, 4], "data": []},
        {"name": "one", "datatype": "INT64", "shape": [], "data": [0]},
    ]
    answer = encode(tensors, binary=True)
    assert answer.body[int(answer.headers["inference-header-content-length"]) :] == bytes(8)


def test_nan_and_infinity_are_bare(encode) -> None:
    values = struct.pack("<3d", float("nan"), float("inf"), float("-inf"))
    answer = encode([Tensor("y", "FP64", (3,), values)])
    assert answer.body.endswith(b'"data":[NaN,Infinity,-Infinity]}]}')


def test_what_json_cannot_say(encode) -> None:
    half = Tensor("y", "BF16", (1,), b"\x80\x3f")
    with pytest.raises(Unprocessable) as caught:
        encode([half])
    assert str(caught.value) == "output 'y': BF16 has no JSON form; ask for it as binary tensor data"
    assert encode([half], binary=True).body.endswith(b"\x80\x3f")
    with pytest.raises(Unprocessable):
        encode([Tensor("y", "BYTES", (1,), [b"\xff"])])


def test_more_than_fits(encode, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_BINARY_BYTES", 7)
    with pytest.raises(TooLarge) as caught:
        encode([SCORES], binary=True)
    assert str(caught.value) == (
        "the outputs have 8 bytes, the limit is 7: ask for fewer rows or outputs at a time"
    )


# ------------------------------------------------------------- outputs that are no tensors
PROBABILITIES = [Tensor("p", "FP32", (1, 2), bytes(8)), Tensor("p.keys", "INT64", (2,), bytes(16))]
PARTS = [Tensor(f"s.{i}", "INT8", (1,), bytes([i])) for i in range(3)]
DECLARED = {
    "outputs": [
        ("label", "INT64", (-1,)),
        ("p", "FP32", (-1, -1)),
        ("p.keys", "INT64", (-1,)),
        ("s.*", "INT8", (-1,)),
        ("maybe", "INT8", (-1,)),
    ]
}


def names(response: Response) -> list[str]:
    return [row["name"] for row in json.loads(response.body)["outputs"]]


@pytest.mark.parametrize(
    ("asked", "answered"),
    [
        ([], ["p", "p.keys", "s.0", "s.1", "s.2"]),
        (["p"], ["p", "p.keys"]),
        (["p.keys"], ["p.keys"]),
        (["p.keys", "p"], ["p.keys", "p"]),
        (["s"], ["s.0", "s.1", "s.2"]),
        (["s.2", "s.0", "p"], ["s.2", "s.0", "p", "p.keys"]),
        (["s.1", "s"], ["s.1", "s.0", "s.2"]),
    ],
)
def test_parts_of_containers(encode, asked: list[str], answered: list[str]) -> None:
    outputs = tuple(Output(name, binary=False) for name in asked)
    assert names(encode([*PROBABILITIES, *PARTS], outputs, **DECLARED)) == answered


def test_an_empty_sequence_and_an_absent_optional_answer_nothing(encode) -> None:
    outputs = (Output("s", binary=False), Output("maybe", binary=False))
    assert names(encode([], outputs, **DECLARED)) == []


def test_a_part_that_is_not_there(encode) -> None:
    with pytest.raises(InvalidRequest) as caught:
        encode(PARTS, (Output("s.3", binary=False),), **DECLARED)
    assert str(caught.value) == "no output 's.3' in this answer; it has 's.0', 's.1', 's.2'"


# ------------------------------------------------------------- classification
def top(encode, tensor: Tensor, k: Any, labels: tuple[str, ...] = (), binary: bool = False) -> Any:
    answer = encode([tensor], (Output(tensor.name, binary, k),), labels=labels)
    if binary:
        return answer.body[int(answer.headers["inference-header-content-length"]) :]
    return json.loads(answer.body)["outputs"][0]


def test_classification(encode) -> None:
    scores = Tensor("y", "FP32", (2, 3), struct.pack("<6f", 0.1, 0.7, 0.2, 1e-7, -1.5, 20))
    assert top(encode, scores, 2, ("cat", "dog", "cow")) == {
        "name": "y",
        "datatype": "BYTES",
        "shape": [2, 2],
        "data": ["0.700000:1:dog", "0.200000:2:cow", "20.000000:2:cow", "0.000000:0:cat"],
    }
    assert top(encode, scores, 1, binary=True) == b"\x0a\0\0\x000.700000:1\x0b\0\0\x0020.000000:2"


@pytest.mark.parametrize("labels", [(), ("cat",), ("a", "b", "c", "d")])
def test_labels_are_used_when_there_is_one_for_each_class(encode, labels: tuple[str, ...]) -> None:
    assert top(encode, Tensor("y", "FP64", (3,), struct.pack("<3d", 1, 3, 2)), 1, labels)["data"] == [
        "3.000000:1"
    ]


@pytest.mark.parametrize(
    ("datatype", "values", "k", "expected"),
    [
        ("FP32", [1, 1, 2, 1], 3, ["2.000000:2", "1.000000:0", "1.000000:1"]),
        ("FP32", [1, 2], 99, ["2.000000:1", "1.000000:0"]),
        (
            "FP32",
            [float("nan"), 1, float("inf"), float("-inf")],
            4,
            ["inf:2", "1.000000:1", "-inf:3", "nan:0"],
        ),
        (
            "INT64",
            [-(2**63), 2**63 - 1],
            2,
            ["9223372036854775807.000000:1", "-9223372036854775808.000000:0"],
        ),
        ("UINT8", [7, 255, 0], 1, ["255.000000:1"]),
    ],
)
def test_ties_clipping_and_odd_values(encode, datatype, values, k, expected) -> None:
    letter = {"FP32": "f", "INT64": "q", "UINT8": "B"}[datatype]
    data = struct.pack(f"<{len(values)}{letter}", *values)
    row = top(encode, Tensor("y", datatype, (len(values),), data), k)
    assert (row["data"], row["shape"]) == (expected, [len(expected)])


@pytest.mark.parametrize(
    ("shape", "k", "found"),
    [((0, 3), 2, [0, 2]), ((2, 0), 2, [2, 0]), ((0,), 1, [0]), ((), 1, [1]), ((2, 3, 2), 4, [2, 4])],
)
def test_shapes(encode, shape: tuple[int, ...], k: int, found: list[int]) -> None:
    count = 1
    for length in shape:
        count *= length
    row = top(encode, Tensor("y", "FP32", shape, bytes(4 * count)), k)
    if shape == (0, 3):
        found = [0, 0]  # no row, so no class either
    assert (row["shape"], len(row["data"])) == (found, found[0] * (found[1] if len(found) > 1 else 1))


@pytest.mark.parametrize("k", [0, -1, 1.0, "1", True, [1]])
def test_a_k_that_is_none(encode, k: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        top(encode, SCORES, k)
    assert str(caught.value) == (f"output 'scores': classification must be a whole number from 1, not {k!r}")


@pytest.mark.parametrize("datatype", ["FP16", "BF16", "BOOL", "BYTES"])
def test_no_order_no_classification(encode, datatype: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        top(encode, Tensor("y", datatype, (1,), [b"a"] if datatype == "BYTES" else b"\0\0"), 1)
    assert str(caught.value) == f"output 'y': {datatype} cannot be classified"

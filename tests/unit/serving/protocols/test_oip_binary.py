"""Binary tensor data: the bytes of requests, to the last one."""

import json
import struct
from typing import Any

import pytest

from coldpress.errors import InvalidRequest, TooLarge
from coldpress.gateway import Request
from coldpress.protocols import oip
from coldpress.protocols.inference import Inference
from coldpress.protocols.oip.inference import Form
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.tensors import DATATYPES, Tensor

ROUTE = Route("oip", "infer", "m")
SIZES = {"BOOL": 1, "INT8": 1, "INT16": 2, "INT32": 4, "INT64": 8, "UINT8": 1, "UINT16": 2, "UINT32": 4,
         "UINT64": 8, "FP16": 2, "BF16": 2, "FP32": 4, "FP64": 8}  # fmt: skip


def part(name: str = "x", datatype: str = "FP32", shape: Any = (1, 3), size: Any = 12) -> dict[str, Any]:
    return {"name": name, "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": size}}


def bytes_of(*strings: bytes) -> bytes:
    return b"".join(struct.pack("<I", len(string)) + string for string in strings)


@pytest.fixture
def decode(manifest, request_of):
    def run(
        inputs: list[Any],
        data: bytes,
        length: Any = None,
        settings: Settings = Settings(),
        model: Any = None,
    ) -> Inference:
        text = json.dumps({"inputs": inputs}).encode()
        header = str(len(text) if length is None else length)
        request = request_of(text + data, inference_header_content_length=header)
        return oip.decode(request, ROUTE, model or manifest(), settings)

    return run


@pytest.mark.parametrize("datatype", SIZES)
def test_numbers_are_taken_as_they_are(decode, datatype: str) -> None:
    data = bytes(range(6 * SIZES[datatype]))
    tensor = decode([part("x", datatype, [2, 3], len(data))], data).tensors[0]
    assert tensor == Tensor("x", datatype, (2, 3), data)


def test_every_datatype_is_tested_here() -> None:
    assert set(SIZES) | {"BYTES"} == set(DATATYPES)


def test_numbers_are_not_copied(decode) -> None:
    tensor = decode([part()], bytes(12)).tensors[0]
    assert isinstance(tensor.data, memoryview)


@pytest.mark.parametrize("strings", [[], [b""], [b"a", b"", b"\x00\xff", b"x" * 300]])
def test_strings(decode, strings: list[bytes]) -> None:
    data = bytes_of(*strings)
    tensor = decode([part("t", "BYTES", [len(strings)], len(data))], data).tensors[0]
    assert tensor == Tensor("t", "BYTES", (len(strings),), strings)


def test_inputs_follow_each_other_and_may_mix_with_json(decode) -> None:
    json_input = {"name": "j", "datatype": "INT8", "shape": [1], "data": [7]}
    found = decode([part("a", "INT8", [2], 2), json_input, part("b", "INT8", [], 1)], b"\1\2\3")
    assert found.tensors == [
        Tensor("a", "INT8", (2,), b"\1\2"),
        Tensor("j", "INT8", (1,), b"\7"),
        Tensor("b", "INT8", (), b"\3"),
    ]


def test_a_header_over_json_alone(decode) -> None:
    json_input = {"name": "j", "datatype": "INT8", "shape": [1], "data": [7]}
    assert decode([json_input], b"").tensors == [Tensor("j", "INT8", (1,), b"\7")]


FEW = "input 'x': binary_data_size is"
BAD: list[tuple[list[Any], bytes, str]] = [
    ([part()], bytes(11), f"{FEW} 12 bytes, but the body has 11 left"),
    (
        [part()],
        bytes(13),
        "the body has 1 bytes more than the inputs' binary_data_size add up to, which is 12",
    ),
    ([part(size=8)], bytes(8), "input 'x': FP32 of shape [1, 3] needs 12 bytes, but 8 came"),
    ([part(size=16)], bytes(16), "input 'x': FP32 of shape [1, 3] needs 12 bytes, but 16 came"),
    ([part(shape=[0, 3])], bytes(12), "input 'x': FP32 of shape [0, 3] needs 0 bytes, but 12 came"),
    ([part(size=10**30)], bytes(12), f"{FEW} {10**30} bytes, but the body has 12 left"),
    ([part(size=10**4000)], bytes(12), f"{FEW} {str(10**4000)[:40]} bytes, but the body has 12 left"),
    ([part(size=-1)], bytes(12), "input 'x': binary_data_size must be a whole number from 0, not -1"),
    ([part(size=12.0)], bytes(12), "input 'x': binary_data_size must be a whole number from 0, not 12.0"),
    ([part(size="12")], bytes(12), "input 'x': binary_data_size must be a whole number from 0, not '12'"),
    ([part(size=True)], b"1", "input 'x': binary_data_size must be a whole number from 0, not True"),
    ([part(size=None)], bytes(12), "input 'x': binary_data_size must be a whole number from 0, not None"),
    (
        [part(datatype="F")],
        bytes(12),
        "input 'x': 'F' is no datatype; the datatypes are " + ", ".join(DATATYPES),
    ),
    (
        [part("x", "BYTES", [2], 5)],
        bytes_of(b"a"),
        "input 'x': 2 elements were expected, the data ends after 1",
    ),
    ([part("x", "BYTES", [1], 3)], b"\1\0\0", "input 'x': 1 elements were expected, the data ends after 0"),
    ([part("x", "BYTES", [1], 5)], b"\2\0\0\0a", "input 'x': element 0 claims 2 bytes, only 1 are left"),
    (
        [part("x", "BYTES", [1], 4)],
        b"\xff\xff\xff\xff",
        "input 'x': element 0 claims 4294967295 bytes, only 0 are left",
    ),
    (
        [part("x", "BYTES", [1], 6)],
        bytes_of(b"a") + b"b",
        "input 'x': 1 bytes are left over after 1 elements",
    ),
]


@pytest.mark.parametrize(("inputs", "data", "message"), BAD, ids=[message[:60] for *_, message in BAD])
def test_refused(decode, inputs: list[Any], data: bytes, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(inputs, data)
    assert str(caught.value) == message


@pytest.mark.parametrize("length", [-1, "1e3", "", "9" * 30, "9" * 5000, "1,1", "٣", 1_000_000, "+5", " 5"])
def test_a_header_that_is_no_length_of_the_body(decode, length: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode([part()], bytes(12), length)
    assert str(caught.value).startswith(
        "inference-header-content-length must be the length of the JSON part, from 0 to the body's "
    )
    assert str(caught.value).endswith(f"bytes; got {str(length)!r:.40}")


def test_a_header_that_cuts_the_json_short(decode) -> None:
    with pytest.raises(InvalidRequest, match="the body is no JSON"):
        decode([part()], bytes(12), 10)


@pytest.mark.parametrize("shape", [[1 << 40, 1 << 40], [10**4000] * 3])
@pytest.mark.parametrize("datatype", ["FP32", "BYTES"])
def test_an_absurd_shape(decode, shape: list[int], datatype: str) -> None:
    with pytest.raises(TooLarge, match="has more than 16777216 elements"):
        decode([part("x", datatype, shape, 4)], bytes(4))


def test_a_long_string(decode) -> None:
    data = bytes_of(b"abc")
    with pytest.raises(TooLarge, match=r"input 't' has a string of 3 bytes, the limit is 2"):
        decode([part("t", "BYTES", [1], 7)], data, settings=Settings(max_string_bytes=2))


# ------------------------------------------------------------------------------ raw bodies
@pytest.mark.parametrize(
    ("shape", "size", "found"),
    [((-1, 3), 24, (2, 3)), ((2, 3), 24, (2, 3)), ((2, -1), 24, (2, 3)), ((-1,), 0, (0,)), ((), 4, ()),
     ((-1, 0), 0, (0, 0))],
)  # fmt: skip
def test_a_raw_body_is_the_only_input(manifest, shape: Any, size: int, found: Any) -> None:
    inference = raw(manifest([("x", "FP32", shape)]), bytes(size))
    assert inference.tensors == [Tensor("x", "FP32", found, bytes(size))]
    assert inference.form == Form(None, (), binary=True)
    assert inference.outputs is None


def raw(model: Any, data: bytes, settings: Settings = Settings()) -> Inference:
    request = Request("POST", "/", {"inference-header-content-length": "0"}, data, "id")
    return oip.decode(request, ROUTE, model, settings)


@pytest.mark.parametrize("shape", [(-1,), (1,), (), (-1, 1)])
def test_a_raw_text_is_one_element(manifest, shape: Any) -> None:
    inference = raw(manifest([("t", "BYTES", shape)]), b"\x00any\xff")
    assert inference.tensors == [Tensor("t", "BYTES", (1,) * len(shape), [b"\x00any\xff"])]


@pytest.mark.parametrize(
    ("inputs", "size", "message"),
    [
        ([("a", "FP32", (1,)), ("b", "FP32", (1,))], 4, "a raw body needs a model with one input; m has 2"),
        ([("x", "FP32", (-1, -1))], 4, "a raw body cannot tell the shape of 'x': [-1, -1] varies twice"),
        ([("x", "FP32", (-1, 3))], 25, "input 'x' takes a multiple of 12 bytes, the body has 25"),
        ([("x", "FP32", (-1, 0))], 4, "input 'x' takes a multiple of 0 bytes, the body has 4"),
        ([("x", "FP32", (2,))], 4, "input 'x': FP32 of shape [2] needs 8 bytes, but 4 came"),
        ([("x", "BYTES", (-1, 2))], 4, "a raw body is one BYTES element; input 'x' has the shape [-1, 2]"),
    ],
)
def test_a_raw_body_that_cannot_be_the_input(manifest, inputs, size: int, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        raw(manifest(inputs), bytes(size))
    assert str(caught.value) == message


def test_a_raw_body_over_the_limits(manifest) -> None:
    with pytest.raises(TooLarge):
        raw(manifest([("x", "FP32", (-1,))]), bytes(12), Settings(max_elements=2))
    with pytest.raises(TooLarge):
        raw(manifest([("x", "BYTES", (-1,))]), bytes(12), Settings(max_string_bytes=11))

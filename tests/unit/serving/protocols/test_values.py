"""JSON values <-> a tensor's data."""

import json
import math
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from coldpress.errors import InvalidRequest, TooLarge, Unprocessable
from coldpress.protocols import values
from coldpress.protocols.values import json_values, nested_values, pack, parse, to_json
from coldpress.settings import Settings
from coldpress.tensors import DATATYPES, Tensor

NUMPY = {
    "BOOL": np.bool_, "INT8": np.int8, "INT16": np.int16, "INT32": np.int32, "INT64": np.int64,
    "UINT8": np.uint8, "UINT16": np.uint16, "UINT32": np.uint32, "UINT64": np.uint64,
    "FP16": np.float16, "BF16": ml_dtypes.bfloat16, "FP32": np.float32, "FP64": np.float64,
}  # fmt: skip
ODD = [0, 1, -1, 0.1, 65504.0, 3.4028234663852886e38, 1e-45, math.inf, -math.inf]


def test_numpy_names_every_datatype_but_one() -> None:
    assert set(NUMPY) | {"BYTES"} == set(DATATYPES)


@pytest.mark.parametrize("datatype", [name for name in NUMPY if name != "BF16"])
def test_numbers_there_and_back(datatype: str) -> None:
    dtype = NUMPY[datatype]
    if datatype == "BOOL":
        array = np.array([True, False, True])
    elif np.issubdtype(dtype, np.integer):
        limits = np.iinfo(dtype)
        array = np.array([limits.min, 0, 1, limits.max], dtype)
    else:
        with np.errstate(over="ignore"):
            array = np.array([*ODD, math.nan], dtype)
    tensor = pack("x", datatype, [len(array)], array.tolist(), Settings())
    assert bytes(tensor.data) == array.tobytes()  # type: ignore[arg-type]
    assert repr(json_values(tensor)) == repr(array.tolist())


def test_bf16_is_answered_as_numbers_but_not_taken() -> None:
    array = np.array([0, -1.5, math.inf, 3.0e38], ml_dtypes.bfloat16)
    assert json_values(Tensor("y", "BF16", (4,), array.tobytes())) == array.astype(float).tolist()
    with pytest.raises(InvalidRequest) as caught:
        pack("x", "BF16", [1], [1.0], Settings())
    assert str(caught.value) == "input 'x': BF16 has no JSON form; send it as binary tensor data"


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), max_size=5))
def test_texts_there_and_back(texts: list[str]) -> None:
    tensor = pack("x", "BYTES", [len(texts)], texts, Settings())
    assert tensor.data == [text.encode() for text in texts]
    assert json_values(tensor) == texts


BAD: list[tuple[str, list[Any], str]] = [
    ("FLOAT", [1], "'FLOAT' is no datatype; the datatypes are BOOL, "),
    ("FP32", [1, "2"], "FP32 takes numbers, data has '2'"),
    ("FP32", [1, None], "FP32 takes numbers, data has None"),
    ("FP32", [True, 1], "FP32 takes numbers, data has True"),
    ("FP32", [1, [2]], "FP32 takes numbers, data has [2]"),
    ("FP32", [1, {"b64": "AA=="}], "FP32 takes numbers, data has {'b64': 'AA=='}"),
    ("INT64", [1, 2.0], "INT64 takes whole numbers, data has 2.0"),
    ("INT64", [1, True], "INT64 takes whole numbers, data has True"),
    ("BOOL", [True, 1], "BOOL takes true or false, data has 1"),
    ("BYTES", ["a", 1], "BYTES takes text, data has 1"),
    ("BYTES", ["a", "\ud800"], "'\\ud800' holds half a surrogate pair, which is no text"),
    ("INT8", [1, 128], "a value does not fit INT8: "),
    ("UINT8", [1, -1], "a value does not fit UINT8: "),
    ("INT64", [1, 2**63], "a value does not fit INT64: "),
    ("UINT64", [1, 2**64], "a value does not fit UINT64: "),
    ("FP16", [1, 65520.0], "a value does not fit FP16: "),
    ("FP32", [1, 3.4028236e38], "a value does not fit FP32: "),
    ("FP32", [1, -1e300], "a value does not fit FP32: "),
    ("FP64", [1, 10**400], "a value does not fit FP64: "),
    ("FP32", [1, 10**400], "a value does not fit FP32: "),
    ("FP32", [1], "shape [2] needs 2 values, data has 1"),
    ("FP32", [1, 2, 3], "shape [2] needs 2 values, data has 3"),
]


@pytest.mark.parametrize(("datatype", "data", "message"), BAD)
def test_refused(datatype: str, data: list[Any], message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        pack("x", datatype, [2], data, Settings())
    assert str(caught.value).startswith(f"input 'x': {message}")


@pytest.mark.parametrize(
    "shape", [[5], [2, 2, 2], [1 << 40, 1 << 40], [10**4000] * 500, [5, 0]], ids=lambda shape: str(shape)[:20]
)
def test_elements_are_counted_before_anything_is_made(shape: list[int]) -> None:
    with pytest.raises(TooLarge) as caught:
        pack("x", "FP32", shape, [], Settings(max_elements=4))
    message = f"input 'x': shape {str(shape)[:80]} has more than 4 elements, which is the limit"
    assert str(caught.value) == message + "; send fewer at a time"


def test_a_long_string() -> None:
    settings = Settings(max_string_bytes=4)
    assert pack("x", "BYTES", [2], ["", "ää"], settings).data == [b"", "ää".encode()]
    with pytest.raises(TooLarge) as caught:
        pack("x", "BYTES", [1], ["ääa"], settings)
    assert str(caught.value) == "input 'x' has a string of 5 bytes, the limit is 4"


@pytest.mark.parametrize("body", [b"", b"{", b"nul", b"\xff", b'"\xe4"', b"[" * 200_000, b"1" * 5000])
def test_no_json(body: bytes) -> None:
    with pytest.raises(InvalidRequest):
        parse(body)


def test_bare_nan_and_infinity_are_read_and_written() -> None:
    read = parse(b"[NaN, Infinity, -Infinity]")
    assert math.isnan(read[0])
    assert read[1:] == [math.inf, -math.inf]
    assert to_json(read) == b"[NaN,Infinity,-Infinity]"
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json(read, allow_nan=False)


def test_text_is_written_as_utf8_and_half_a_surrogate_pair_as_it_came() -> None:
    assert to_json({"a": "ä😀"}) == '{"a":"ä😀"}'.encode()
    assert json.loads(to_json({"a": "\ud800"})) == {"a": "\ud800"}


def test_bytes_that_are_no_text() -> None:
    with pytest.raises(Unprocessable) as caught:
        json_values(Tensor("y", "BYTES", (1,), [b"\xff"]))
    assert str(caught.value) == ("output 'y' holds bytes that are no UTF-8; ask for it as binary tensor data")


def test_more_values_than_json_can_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(values, "MAX_JSON_VALUES", 3)
    assert json_values(Tensor("y", "UINT8", (3,), b"abc")) == [97, 98, 99]
    for make in (json_values, nested_values):
        with pytest.raises(TooLarge) as caught:
            make(Tensor("y", "UINT8", (4,), b"abcd"))
        assert str(caught.value) == (
            "output 'y' has 4 values, and a JSON answer holds at most 3: "
            "ask for fewer rows at a time, or for binary tensor data"
        )
    assert json_values(Tensor("y", "UINT8", (4, 0), b"")) == []
    with pytest.raises(TooLarge):
        nested_values(Tensor("y", "UINT8", (4, 0), b""))

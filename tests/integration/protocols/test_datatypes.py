"""Every datatype through an identity model, in both encodings, to the bit."""

import json
import struct
from typing import Any

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from .conftest import World, model

NUMPY = {
    "BOOL": ("bool", np.bool_), "INT8": ("int8", np.int8), "INT16": ("int16", np.int16),
    "INT32": ("int32", np.int32), "INT64": ("int64", np.int64), "UINT8": ("uint8", np.uint8),
    "UINT16": ("uint16", np.uint16), "UINT32": ("uint32", np.uint32), "UINT64": ("uint64", np.uint64),
    "FP16": ("float16", np.float16), "BF16": ("bfloat16", ml_dtypes.bfloat16), "FP32": ("float", np.float32),
    "FP64": ("double", np.float64),
}  # fmt: skip
SHAPES = st.lists(st.integers(0, 3), min_size=2, max_size=2).map(tuple)


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("store"))
    for name, element in [*((name, element) for name, (element, _) in NUMPY.items()), ("BYTES", "string")]:
        for suffix, dims in (("", "[n,m]"), ("-scalar", "[]")):
            text = f"g ({element}{dims} x) => ({element}{dims} y) {{ y = Identity (x) }}"
            world.add(name.lower() + suffix, model(text.replace("[]", "")))
    return world


def ask(world: World, name: str, datatype: str, shape: Any, data: Any) -> Any:
    body = {"inputs": [{"name": "x", "datatype": datatype, "shape": shape, "data": data}]}
    answer = world.infer(name, body)
    assert answer.status == 200, answer
    (row,) = answer.json["outputs"]
    assert (row["name"], row["datatype"], row["shape"]) == ("y", datatype, list(shape))
    return row["data"]


def ask_binary(world: World, name: str, datatype: str, shape: Any, data: bytes) -> bytes:
    tensor = {
        "name": "x",
        "datatype": datatype,
        "shape": shape,
        "parameters": {"binary_data_size": len(data)},
    }
    text = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    answer = world.infer(name, text + data, inference_header_content_length=str(len(text)))
    assert answer.status == 200, answer
    length = int(answer.headers["inference-header-content-length"])
    (row,) = json.loads(answer.body[:length])["outputs"]
    assert row == {
        "name": "y",
        "datatype": datatype,
        "shape": list(shape),
        "parameters": {"binary_data_size": len(data)},
    }
    return answer.body[length:]


@pytest.mark.parametrize("datatype", NUMPY)
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_binary(world: World, datatype: str, data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    size = shape[0] * shape[1] * np.dtype(NUMPY[datatype][1]).itemsize
    sent = data.draw(st.binary(min_size=size, max_size=size))
    if datatype == "BOOL":
        sent = bytes(byte & 1 for byte in sent)
    assert ask_binary(world, datatype.lower(), datatype, shape, sent) == sent


@pytest.mark.parametrize("datatype", [name for name in NUMPY if name != "BF16"])
@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_json(world: World, datatype: str, data: st.DataObject) -> None:
    shape = data.draw(SHAPES)
    dtype = np.dtype(NUMPY[datatype][1])
    size = shape[0] * shape[1] * dtype.itemsize
    sent = data.draw(st.binary(min_size=size, max_size=size))
    array = np.frombuffer(sent, dtype).reshape(shape)
    if datatype == "BOOL":
        array = (array.view(np.uint8) & 1).astype(bool)
    for given_data in (array.tolist(), array.ravel().tolist()):
        # repr, since NaN is not equal to itself
        assert repr(ask(world, datatype.lower(), datatype, shape, given_data)) == repr(array.ravel().tolist())


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, data=st.data())
def test_strings(world: World, shape: tuple[int, int], data: st.DataObject) -> None:
    count = shape[0] * shape[1]
    texts = data.draw(
        st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=count, max_size=count)
    )
    assert ask(world, "bytes", "BYTES", shape, texts) == texts
    strings = data.draw(st.lists(st.binary(), min_size=count, max_size=count))
    packed = b"".join(struct.pack("<I", len(string)) + string for string in strings)
    assert ask_binary(world, "bytes", "BYTES", shape, packed) == packed


@pytest.mark.parametrize("datatype", NUMPY)
def test_scalars(world: World, datatype: str) -> None:
    value = np.ones((), NUMPY[datatype][1])
    name = datatype.lower() + "-scalar"
    assert ask_binary(world, name, datatype, (), value.tobytes()) == value.tobytes()
    if datatype != "BF16":
        for data in (value.tolist(), [value.tolist()]):
            assert ask(world, name, datatype, (), data) == [value.tolist()]


def test_a_scalar_string(world: World) -> None:
    assert ask(world, "bytes-scalar", "BYTES", (), "ä") == ["ä"]
    assert ask_binary(world, "bytes-scalar", "BYTES", (), b"\1\0\0\0\xff") == b"\1\0\0\0\xff"


def test_bf16_has_no_json(world: World) -> None:
    body = {"inputs": [{"name": "x", "datatype": "BF16", "shape": [1, 1], "data": [1.0]}]}
    assert world.infer("bf16", body).status == 400
    tensor = {"name": "x", "datatype": "BF16", "shape": [1, 1], "parameters": {"binary_data_size": 2}}
    text = json.dumps({"inputs": [tensor]}).encode()
    answer = world.infer("bf16", text + b"\x80\x3f", inference_header_content_length=str(len(text)))
    assert (answer.status, answer.json["error"]) == (
        422,
        "output 'y': BF16 has no JSON form; ask for it as binary tensor data",
    )

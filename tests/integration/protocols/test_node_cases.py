"""ONNX's own operator tests, asked over the data plane in both encodings."""

import json
import struct
from typing import Any

import numpy as np
import pytest
from onnx import helper

from coldpress.tensors import BY_ONNX, DATATYPES

from .conftest import World
from .node_cases import NAMES, Case, cases

BATCH = 100
"""Cases to one world: thousands of files in one folder are slow."""


@pytest.mark.timeout(300)
def test_every_case_in_json_and_in_binary(tmp_path_factory: pytest.TempPathFactory) -> None:
    names = set(NAMES.read_text().split())
    known = [case for case in cases() if case.name in names]
    assert {case.name for case in known} == names
    failures: dict[str, str] = {}
    for start in range(0, len(known), BATCH):
        world = World(tmp_path_factory.mktemp("store"), model_cache_bytes=1 << 26)
        for number, case in enumerate(known[start : start + BATCH]):
            world.add(f"case-{number}", case.model)
            for ask in (ask_binary, ask_json):
                try:
                    case.check(ask(world, f"case-{number}", case))
                except Exception as error:  # collected: one run shows all that fail
                    failures[f"{case.name} ({ask.__name__})"] = f"{error!s:.300}"
    assert not failures, json.dumps(failures, indent=1)


def ask_json(world: World, name: str, case: Case) -> list[Any]:
    if any(datatype_of(value) == "BF16" for value in flat([*case.inputs.values(), *case.outputs])):
        return case.outputs  # BF16 has no JSON form; ask_binary asks it
    inputs = [
        tensor(name, value) | {"data": value.tolist() if value.dtype != object else texts(value)}
        for name, value in case.inputs.items()
    ]
    answer = world.infer(name, json.dumps({"inputs": inputs}).encode())
    assert answer.status == 200, answer
    rows = answer.json["outputs"]
    return grouped(case, [read(row, np.array(row["data"], numpy_type(row["datatype"]))) for row in rows])


def ask_binary(world: World, name: str, case: Case) -> list[Any]:
    parts = [packed(value) for value in case.inputs.values()]
    inputs = [
        tensor(name, value) | {"parameters": {"binary_data_size": len(part)}}
        for (name, value), part in zip(case.inputs.items(), parts, strict=True)
    ]
    text = json.dumps({"inputs": inputs, "parameters": {"binary_data_output": True}}).encode()
    body = b"".join([text, *parts])
    answer = world.infer(name, body, inference_header_content_length=str(len(text)))
    assert answer.status == 200, answer
    length = int(answer.headers.get("inference-header-content-length", len(answer.body)))
    rows, data, found = json.loads(answer.body[:length])["outputs"], answer.body[length:], []
    for row in rows:
        size = row["parameters"]["binary_data_size"]
        part, data = data[:size], data[size:]
        values = (
            unpacked(part) if row["datatype"] == "BYTES" else np.frombuffer(part, numpy_type(row["datatype"]))
        )
        found.append(read(row, values))
    assert not data
    return grouped(case, found)


def tensor(name: str, value: Any) -> dict[str, Any]:
    return {"name": name, "datatype": datatype_of(value), "shape": list(value.shape)}


def datatype_of(value: Any) -> str:
    if value.dtype.kind in "OUST":
        return "BYTES"
    return BY_ONNX[helper.np_dtype_to_tensor_dtype(value.dtype)].name


def numpy_type(datatype: str) -> Any:
    return (
        np.dtype(object) if datatype == "BYTES" else helper.tensor_dtype_to_np_dtype(DATATYPES[datatype].onnx)
    )


def texts(value: Any) -> list[str]:
    return [item.decode() if isinstance(item, bytes) else str(item) for item in value.ravel().tolist()]


def packed(value: Any) -> bytes:
    if datatype_of(value) != "BYTES":
        return bytes(value.tobytes())
    strings = [text.encode() for text in texts(value)]
    return b"".join(struct.pack("<I", len(string)) + string for string in strings)


def unpacked(data: bytes) -> Any:
    found = []
    while data:
        end = 4 + struct.unpack_from("<I", data)[0]
        found.append(data[4:end].decode())
        data = data[end:]
    return np.array(found, object)


def read(row: dict[str, Any], values: Any) -> Any:
    return values.reshape(row["shape"])


def flat(values: list[Any]) -> list[Any]:
    return [item for value in values for item in (value if isinstance(value, list) else [value])]


def grouped(case: Case, found: list[Any]) -> list[Any]:
    """A sequence is answered as one tensor for each of its elements."""
    answer, rest = [], iter(found)
    for value in case.outputs:
        answer.append([next(rest) for _ in value] if isinstance(value, list) else next(rest))
    assert not list(rest)
    return answer

"""Requests like one before take a shorter way; what comes out must be what the long way gives."""

import json
import math
import struct
from array import array
from typing import Any

import pytest

from coldpress.errors import ColdpressError, InvalidRequest, TooLarge
from coldpress.protocols import kinds, oip
from coldpress.protocols.inference import Inference
from coldpress.protocols.oip import binary, inference
from coldpress.protocols.oip.inference import Form, Output
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.tensors import Tensor

ROUTE = Route("oip", "infer", "m")
SETTINGS = Settings()


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kinds, "_kinds", {})
    monkeypatch.setattr(binary, "_heads", {})
    monkeypatch.setattr(inference, "_kinds", kinds)
    monkeypatch.setattr(inference, "_new", 1)


def asked(**changes: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [1, 2.5, -3]} | changes


def outcome(manifest, request_of, body: Any, settings: Settings = SETTINGS, **headers: str) -> str:
    """What a request comes to, with everything that tells two apart: types, bytes, messages."""
    try:
        found = oip.decode(request_of(body, **headers), ROUTE, manifest, settings)
    except ColdpressError as error:
        return f"{type(error).__name__}: {error}"
    tensors = [(t.name, t.datatype, t.shape, type(t.shape[0]), bytes(t.data)) for t in found.tensors]
    return repr((tensors, found.outputs, found.form))


LIKE = [
    asked(),
    asked(data=[0.1, 1e-30, 16777217]),
    asked(data=[math.nan, math.inf, -math.inf]),
    asked(data=[1e39, 0, 0]),
    asked(data=[10**400, 0, 0]),
    asked(data=[True, 0, 0]),
    asked(data=[None, 0, 0]),
    asked(data=["1", 0, 0]),
    asked(data=[[1], 0, 0]),
    asked(data=[[1, 2, 3]]),
    asked(data=[1, 2]),
    asked(data=[1, 2, 3, 4]),
    asked(data=[]),
    asked(data="abc"),
    asked(data={"a": 1, "b": 2, "c": 3}),
    asked(data=None),
    asked(shape=[True, 3]),
    asked(shape=[1.0, 3]),
    asked(shape=[3]),
    asked(shape=[3, 1]),
    asked(shape=[[1, 3]]),
    asked(shape="13"),
    asked(shape={"1": 3}),
    asked(name="y"),
    asked(name=["x"]),
    asked(datatype="FP64"),
    asked(datatype="FP16"),
    asked(datatype="INT32", data=[1, 2, 3]),
    asked(datatype="fp32"),
    asked(parameters={}),
    asked(parameters={"shared_memory_region": "r"}),
    asked(parameters={"binary_data_size": 12}),
    asked(parameters=7),
    asked(more=1),
    {key: value for key, value in asked().items() if key != "data"},
    [1],
    None,
    "x",
]


@pytest.mark.parametrize("like", LIKE, ids=lambda like: json.dumps(like)[:60])
def test_json(manifest, request_of, like: Any) -> None:
    made = manifest()
    body = {"inputs": [like]}
    alone = outcome(made, request_of, body)
    kinds._kinds.clear()
    for _ in range(2):
        assert "Tensor" not in outcome(made, request_of, {"inputs": [asked()]})
        assert outcome(made, request_of, body) == alone
    assert kinds._kinds


@pytest.mark.parametrize(
    ("datatype", "good", "wrong"),
    [
        ("INT8", [-128, 0, 127], [128, 0, 0]),
        ("INT64", [-(2**63), 0, 2**63 - 1], [2**63, 0, 0]),
        ("UINT64", [0, 1, 2**64 - 1], [-1, 0, 0]),
        ("UINT16", [0, 1, 65535], [1.0, 0, 0]),
        ("FP16", [1.5, -65504, 0], [65520, 0, 0]),
        ("FP64", [1e300, -1, 0], [10**400, 0, 0]),
        ("BOOL", [True, False, True], [1, 0, 0]),
        ("BYTES", ["a", "ä", ""], [1, 0, 0]),
    ],
)
def test_every_datatype(manifest, request_of, datatype: str, good: list[Any], wrong: list[Any]) -> None:
    made = manifest()

    def tensors(data: list[Any]) -> list[Tensor]:
        body = {"inputs": [asked(datatype=datatype, data=data)]}
        return oip.decode(request_of(body), ROUTE, made, SETTINGS).tensors

    first = tensors(good)
    for _ in range(3):
        assert tensors(good) == first
        with pytest.raises(InvalidRequest):
            tensors(wrong)


def test_the_limits_of_other_settings_hold(manifest, request_of) -> None:
    made = manifest()
    for body in ({"inputs": [asked()]}, None):
        for settings in (SETTINGS, SETTINGS._replace(max_elements=2), SETTINGS):
            head, headers = body, {}
            if body is None:
                head, headers = packed(struct.pack("<3f", 1, 2, 3))
            if settings is SETTINGS:
                assert oip.decode(request_of(head, **headers), ROUTE, made, settings).tensors
            else:
                with pytest.raises(TooLarge):
                    oip.decode(request_of(head, **headers), ROUTE, made, settings)


def packed(data: bytes, **parameters: Any) -> tuple[bytes, dict[str, str]]:
    """A request whose input lies behind the JSON part: the body and its headers."""
    part = {"name": "x", "datatype": "FP32", "shape": [1, 3], "parameters": {"binary_data_size": 12}}
    head = json.dumps({"inputs": [part], **parameters}).encode()
    return head + data, {"inference_header_content_length": str(len(head))}


@pytest.mark.parametrize("more", [b"", b"\0", bytes(12)])
def test_binary(manifest, request_of, more: bytes) -> None:
    made = manifest()
    answers = []
    for number in range(3):
        data = struct.pack("<3f", number, -number, 0.5)
        parameters = {"binary_data_output": True}
        body, headers = packed(data, id="7", outputs=[{"name": "y"}], parameters=parameters)
        found = oip.decode(request_of(body, **headers), ROUTE, made, SETTINGS)
        assert found.tensors == [Tensor("x", "FP32", (1, 3), data)]
        answers.append((found.outputs, found.form))
        wrong = outcome(made, request_of, body + more if more else body[:-1], **headers)
        assert wrong.startswith("InvalidRequest: ")
    assert answers == [answers[0]] * 3
    assert answers[0][1].id == "7"
    assert len(binary._heads) == 1


def test_what_is_remembered_is_bounded(manifest, request_of) -> None:
    for number in range(3 * binary.MAX_HEADS):
        body, headers = packed(bytes(12), id=str(number))
        oip.decode(request_of(body, **headers), ROUTE, manifest(), SETTINGS)
        oip.decode(request_of({"inputs": [asked(name=f"x{number}")]}), ROUTE, manifest(), SETTINGS)
    assert 0 < len(binary._heads) <= binary.MAX_HEADS
    assert 0 < len(kinds._kinds) <= kinds.MAX_KINDS
    body, headers = packed(bytes(12), id="x" * binary.MAX_HEAD)
    before = set(binary._heads)
    oip.decode(request_of(body, **headers), ROUTE, manifest(), SETTINGS)
    assert set(binary._heads) == before


def test_strings_are_not_remembered_but_read(manifest, request_of) -> None:
    part = {"name": "t", "datatype": "BYTES", "shape": [2], "parameters": {"binary_data_size": 10}}
    head = json.dumps({"inputs": [part]}).encode()
    for strings, data in (
        ([b"a", b"b"], b"\1\0\0\0a\1\0\0\0b"),
        ([b"", b"ab"], b"\0\0\0\0\2\0\0\0ab"),
    ):
        request = request_of(head + data, inference_header_content_length=str(len(head)))
        assert oip.decode(request, ROUTE, manifest(), SETTINGS).tensors[0].data == strings
    assert binary._heads == {}


def test_the_first_request_of_an_environment_does_without(
    manifest, request_of, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inference, "_kinds", None)
    monkeypatch.setattr(inference, "_new", 0)
    for imported in (None, kinds):
        oip.decode(request_of({"inputs": [asked()]}), ROUTE, manifest(), SETTINGS)
        assert inference._kinds is imported


def test_binary_answers(manifest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inference, "_texts", {})
    made = manifest()

    def answer(tensors: list[Tensor], **form: Any) -> tuple[dict[str, str], bytes]:
        asked = Form(**{"id": None, "outputs": (), "binary": True} | form)
        found = oip.encode(Inference([], None, asked), made, tensors)
        return found.headers, found.body

    def y(*values: float, name: str = "y") -> Tensor:
        return Tensor(name, "FP32", (len(values),), memoryview(array("f", values)))

    cases: list[tuple[list[Tensor], dict[str, Any]]] = [
        ([y(1, 2)], {}),
        ([y(3, 4)], {}),
        ([y(3)], {}),
        ([y(1, 2, name="z")], {}),
        ([y(1, 2), y(5, name="z")], {}),
        ([Tensor("y", "INT32", (2,), bytes(8))], {}),
        ([Tensor("y", "BYTES", (1,), [b"ab"])], {}),
        ([y(1, 2)], {"id": "7"}),
        ([y(1, 2)], {"binary": False}),
        ([y(1, 2)], {"outputs": (Output("y", binary=False),)}),
        ([y(1, 2)], {"outputs": (Output("y", binary=True, classes=1),)}),
    ]
    alone = []
    for tensors, form in cases:
        inference._texts.clear()
        alone.append(answer(tensors, **form))
    for _ in range(2):
        assert [answer(tensors, **form) for tensors, form in cases] == alone
    assert len(inference._texts) == 5
    assert alone[1][1].endswith(struct.pack("<2f", 3, 4))
    assert answer([y(1, 2)]) != oip_answer_of_another_version(manifest, [y(1, 2)])
    for count in range(2 * inference.MAX_HEADS):
        answer([y(*[0.0] * count)])
    assert len(inference._texts) <= inference.MAX_HEADS


def oip_answer_of_another_version(manifest, tensors: list[Tensor]) -> tuple[dict[str, str], bytes]:
    asked = Form(None, (), binary=True)
    found = oip.encode(Inference([], None, asked), manifest()._replace(version=9), tensors)
    return found.headers, found.body

"""Requests that cannot be answered: each with its status and message, and never a fault of ours."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from coldpress import access

from .conftest import Plane, echo, mlp, two_inputs, words


@pytest.fixture
def plane(make_plane: Callable[..., Plane]) -> Plane:
    plane = make_plane(max_body_bytes=300_000, max_rows=10, max_elements=1000)
    plane.publish("iris", 1, mlp())
    plane.publish("words", 1, words())
    plane.publish("two", 1, two_inputs())
    plane.publish("echo", 1, echo("INT8"))
    return plane


def tensor(**changes: Any) -> dict[str, Any]:
    whole = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]} | changes
    return {key: value for key, value in whole.items() if value is not None}


def infer(**changes: Any) -> str:
    return json.dumps({"inputs": [tensor(**changes)]})


BOMB = "[" * 100_000
DEEP = "[" * 200 + "]" * 200

INFERENCES = [
    ("", 400, "the body is no JSON: Expecting value: line 1 column 1 (char 0)"),
    ('{"inputs": [', 400, "the body is no JSON: Expecting value: line 1 column 13 (char 12)"),
    ("\ud800", 400, "the body is no JSON: "),
    (BOMB, 400, "the JSON is nested too deeply"),
    (BOMB + "]" * 100_000, 400, "the JSON is nested too deeply"),
    ('{"a":' * 50_000, 400, "the JSON is nested too deeply"),
    ("[]", 400, "the body must be a JSON object: "),
    ("null", 400, "the body must be a JSON object: "),
    ("{}", 400, '"inputs" must be a list of tensors: '),
    ('{"inputs": {}}', 400, '"inputs" must be a list of tensors: '),
    ('{"inputs": []}', 400, '"inputs" must be a list of tensors: '),
    ('{"inputs": [1]}', 400, "each input must be an object: "),
    (infer(name=None), 400, "input '?' has no 'name'"),
    (infer(shape=None), 400, "input 'x' has no 'shape'"),
    (infer(datatype=None), 400, "input 'x' has no 'datatype'"),
    (infer(data=None), 400, "input 'x' has neither 'data' nor "),
    (infer(name=["x"]), 400, "an input's name and datatype must be text; got ['x'] and 'FP32'"),
    (infer(shape="4"), 400, "input 'x': shape must be a list of whole numbers from 0, not '4'"),
    (infer(shape=[-1, 4]), 400, "input 'x': shape must be a list of whole numbers from 0, not [-1, 4]"),
    (infer(shape=[1.0, 4]), 400, "input 'x': shape must be a list of whole numbers from 0, not [1.0, 4]"),
    (infer(shape=[True, 4]), 400, "input 'x': shape must be a list of whole numbers from 0, not [True, 4]"),
    (infer(datatype="float"), 400, "input 'x': 'float' is no datatype; the datatypes are BOOL, "),
    (infer(shape=[1, 5]), 400, "input 'x': shape [1, 5] needs 5 values, data has 4"),
    (
        infer(shape=[10**9, 10**9]),
        413,
        "input 'x': shape [1000000000, 1000000000] has more than 1000 elements",
    ),
    (infer(data=["1", 2, 3, 4]), 400, "input 'x': FP32 takes numbers, data has '1'"),
    (infer(data=[True, 2, 3, 4]), 400, "input 'x': FP32 takes numbers, data has True"),
    (infer(data=[None, 2, 3, 4]), 400, "input 'x': FP32 takes numbers, data has None"),
    (infer(data=[[1, 2], 3, 4]), 400, "input 'x'"),
    (infer(data=[[1, 2], [3], [4]]), 400, "input 'x' is ragged"),
    (infer(data=[1e39, 2, 3, 4]), 400, "input 'x': a value does not fit FP32"),
    (infer(data=[10**400, 2, 3, 4]), 400, "input 'x': a value does not fit FP32"),
    (infer(data=json.loads(DEEP)), 400, "input 'x' is nested deeper than 100 levels"),
    (infer(name="y"), 400, "no input 'y'; the model's inputs are 'x'"),
    (infer(datatype="FP64"), 400, "input 'x' is FP32, but FP64 came"),
    (infer(shape=[4]), 400, "input 'x' has 2 dimensions [-1, 4], but [4] came"),
    (infer(shape=[2, 2]), 400, "input 'x' has shape [-1, 4] (-1 is variable), but [2, 2] came"),
    (json.dumps({"inputs": [tensor(), tensor()]}), 400, "input 'x' came twice"),
    (json.dumps({"inputs": [tensor(), tensor(name="z")]}), 400, "no input 'z'; the model's inputs are 'x'"),
    (json.dumps({"id": 7, "inputs": [tensor()]}), 400, "id must be text, not 7"),
    (
        json.dumps({"inputs": [tensor()], "outputs": [{"name": "y"}]}),
        400,
        "no output 'y'; the model's outputs are ",
    ),
    (
        json.dumps({"inputs": [tensor()], "outputs": "y"}),
        400,
        '"outputs" must be a list of objects with a name',
    ),
    (json.dumps({"inputs": [tensor()], "parameters": []}), 400, "the request: parameters must be an object"),
    ("x" * 300_001, 413, "the body has 300001 bytes, the limit is 300000"),
]


@pytest.mark.parametrize(("body", "status", "message"), INFERENCES, ids=range(len(INFERENCES)))
def test_inference_protocol(plane: Plane, body: str, status: int, message: str) -> None:
    answer = plane.call("POST", "/v2/models/iris/infer", body)
    assert (answer.status, answer.body["error"][: len(message)]) == (status, message)
    assert len(answer.body["error"]) < 500


PLAIN: list[tuple[str, str, str, int, str]] = [
    ("iris", "", "application/json", 400, "the body is no JSON: "),
    ("iris", BOMB, "application/json", 400, "the JSON is nested too deeply"),
    ("iris", DEEP, "application/json", 400, "input 'x' "),
    ("iris", "[]", "application/json", 400, "input 'x'"),
    ("iris", "[[]]", "application/json", 400, ""),
    ("iris", "[1, 2, 3]", "application/json", 400, "input 'x' has shape [-1, 4] (-1 is variable), but"),
    ("iris", "[[1,2,3,4],[1,2,3]]", "application/json", 400, "input 'x' is ragged: lists of 3 and of 4 side"),
    ("iris", "[[1,2],[3],[4,5,6]]", "application/json", 400, "input 'x' is ragged: "),
    ("iris", "[[1,2,3,4],5]", "application/json", 400, "input 'x' mixes lists and values on one level"),
    ("iris", '["a","b","c","d"]', "application/json", 400, "input 'x': FP32 takes numbers, data has 'a'"),
    ("iris", "good", "text/plain", 400, "input 'x': FP32 takes numbers, data has 'good'"),
    ("iris", '{"y": [1,2,3,4]}', "", 400, "row 0: iris has no input 'y'; it has ['x']"),
    ("iris", "{}", "", 400, "row 0: the input 'x' is missing"),
    ("iris", '[{"x": [1,2,3,4]}, {}]', "", 400, "row 1: the input 'x' is missing"),
    ("iris", json.dumps([[1, 2, 3, 4]] * 11), "", 413, "the body has 11 rows, the limit is 10; send fewer"),
    ("words", "\ud800", "text/plain", 400, "the text is not UTF-8: "),
    ("words", '"\\ud800"', "application/json", 400, "input 'text': "),
    ("words", "[1]", "application/json", 400, "input 'text': BYTES takes text, data has 1"),
    ("two", "[1, 2]", "", 400, "two has several inputs; send JSON objects that name them: a, b"),
    ("two", "x", "text/plain", 400, "two has several inputs; send JSON objects that name them: a, b"),
    ("echo", "[[128]]", "", 400, "input 'x': a value does not fit INT8: "),
    ("echo", "[[1.0]]", "", 400, "input 'x': INT8 takes whole numbers, data has 1.0"),
    ("iris", "<x/>", "application/xml", 400, "bodies of type 'application/xml' are not read here; send "),
]  # fmt: skip


@pytest.mark.parametrize(("model", "body", "kind", "status", "message"), PLAIN, ids=range(len(PLAIN)))
def test_plain_bodies(plane: Plane, model: str, body: str, kind: str, status: int, message: str) -> None:
    answer = plane.predict(model, body, headers={"content-type": kind})
    assert (answer.status, answer.body["error"][: len(message)]) == (status, message)
    assert len(answer.body["error"]) < 500


@pytest.mark.parametrize(
    ("method", "path", "status", "message"),
    [
        ("POST", "/v2/models/nobody/infer", 404, "model 'nobody' has no alias 'prod'"),
        ("POST", "/v2/models/iris@dev/infer", 404, "model 'iris' has no alias 'dev'"),
        ("POST", "/models/iris/versions/2/predict", 404, "model 'iris' has no version 2"),
        ("POST", "/v2/models/Iris/infer", 400, "'Iris' cannot name a model: "),
        ("POST", "/models/..%2Firis/predict", 404, "no route /models/../iris/predict; see /docs"),
        (
            "POST",
            f"/models/{'i' * 300}/predict",
            400,
            f"'{'i' * 40}… (300 characters)' cannot name a model: ",
        ),
        ("GET", "/models/iris/predict", 405, "/models/iris/predict takes POST, not GET"),
        ("DELETE", "/v2/models/iris", 405, "/v2/models/iris takes GET, not DELETE"),
        ("GET", "/nothing", 404, "no route /nothing; see /docs"),
    ],
)
def test_paths(plane: Plane, method: str, path: str, status: int, message: str) -> None:
    answer = plane.call(method, path, "[1, 2, 3, 4]")
    assert (answer.status, answer.body["error"][: len(message)]) == (status, message)


@pytest.mark.parametrize(
    ("scopes", "method", "path", "status"),
    [
        (("predict:iris",), "POST", "/models/iris/predict", 200),
        (("predict:i*",), "POST", "/v2/models/iris/infer", 400),
        (("predict:iris",), "GET", "/v2/models/iris", 200),
        (("read",), "GET", "/v2/models/iris", 200),
        (("read",), "GET", "/v2", 200),
        (("predict:iris",), "GET", "/v2", 200),
        (("predict:iris",), "GET", "/v2/models/stats", 403),
        (("predict:words", "read"), "POST", "/models/iris/predict", 403),
        (("predict:words",), "GET", "/v2/models/iris", 403),
        (("predict:*", "read"), "POST", "/v2/repository/models/iris/load", 403),
        (("admin",), "POST", "/models/iris/predict", 200),
    ],
)
def test_scopes(plane: Plane, scopes: tuple[str, ...], method: str, path: str, status: int) -> None:
    plane.key, caller = access.create_key(plane.store, scopes)
    answer = plane.call(method, path, None if method == "GET" else "[1, 2, 3, 4]")
    assert answer.status == status
    if status == 403:
        assert answer.body["error"].startswith(
            f"the API key {caller.id!r} has the scopes {', '.join(scopes)}; "
        )


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("", "no API key: send it as 'x-api-key: KEY' or 'Authorization: Bearer KEY'"),
        ("cp_wrong", "unknown API key; create one with: coldpress keys create"),
        ("k" * 201, "an API key has at most 200 characters, this one has 201"),
    ],
)
def test_keys(plane: Plane, key: str, message: str) -> None:
    plane.key = key
    for method, path in [
        ("POST", "/models/iris/predict"),
        ("GET", "/v2"),
        ("POST", "/v2/models/nobody/infer"),
    ]:
        answer = plane.call(method, path)
        assert (answer.status, answer.body) == (401, {"error": message})
    assert plane.call("GET", "/v2/health/live").body == {"live": True}
    assert plane.call("GET", "/v2/health/ready").body == {"ready": True}


def test_an_expired_key(plane: Plane) -> None:
    plane.key, caller = access.create_key(plane.store, ("admin",), expires=1.0)
    answer = plane.predict("iris", [1, 2, 3, 4])
    assert (answer.status, answer.body) == (
        401,
        {"error": f"the API key {caller.id!r} has expired; create one with: coldpress keys create"},
    )


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from("xyz"), inner, max_size=3),
    max_leaves=10,
)
requests = st.fixed_dictionaries(
    {"inputs": st.lists(st.fixed_dictionaries({}, optional={
        "name": st.sampled_from(["x", "text", "a", "b"]) | json_values,
        "shape": st.lists(st.integers(-1, 5), max_size=3) | json_values,
        "datatype": st.sampled_from(["FP32", "INT8", "BYTES", "BOOL", "BF16"]) | json_values,
        "data": json_values,
        "parameters": json_values,
    }), max_size=2) | json_values},
    optional={"id": json_values, "outputs": json_values, "parameters": json_values},
)  # fmt: skip


def test_no_request_is_a_fault_of_ours(plane: Plane, capfd: pytest.CaptureFixture[str]) -> None:
    @settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(
        st.sampled_from(["iris", "words", "two", "echo"]),
        st.sampled_from(["/v2/models/{}/infer", "/models/{}/predict", "/v1/models/{}:predict"]),
        requests.map(json.dumps)
        | json_values.map(json.dumps)
        | st.text(st.characters(exclude_categories=())),
        st.sampled_from(
            ["", "text/plain", "application/json", "text/csv", "application/x-npy", "image/png", "?"]
        ),
    )
    def answered(model: str, path: str, body: str, content_type: str) -> None:
        answer = plane.call("POST", path.format(model), body, headers={"content-type": content_type})
        assert answer.status in (200, 400, 413, 422, 501), answer.body

    answered()
    assert "Traceback" not in capfd.readouterr().err

"""TensorFlow Serving's REST API: literal requests and answers."""

import json
import struct
from typing import Any

import pytest

from coldpress.errors import ColdpressError, InvalidRequest, TooLarge, Unprocessable
from coldpress.protocols import tfserving
from coldpress.protocols.inference import Inference
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.tensors import Tensor

TWO = (("a", "FP32", (-1, 2)), ("t", "BYTES", (-1,)))


def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


@pytest.fixture
def decode(manifest, request_of):
    def run(body: Any, inputs: Any = (("x", "FP32", (-1, 2)),), action: str = "predict", **settings: Any):
        route = Route("tfserving", action, "m")
        return tfserving.decode(request_of(body), route, manifest(inputs), Settings(**settings))

    return run


@pytest.fixture
def answer(manifest):
    def run(form: str, *tensors: Tensor, **model: Any) -> Any:
        response = tfserving.encode(Inference([], None, form), manifest(**model), list(tensors))
        assert (response.status, response.headers) == (200, {"content-type": "application/json"})
        return json.loads(response.body)

    return run


# ------------------------------------------------------------------------------ requests
@pytest.mark.parametrize(
    ("body", "form"),
    [
        ({"instances": [[1, 2], [3, 4]]}, "row"),
        ({"instances": [{"x": [1, 2]}, {"x": [3, 4]}]}, "row"),
        ({"inputs": [[1, 2], [3, 4]]}, "column"),
        ({"inputs": {"x": [[1, 2], [3, 4]]}}, "column"),
        ({"signature_name": "serving_default", "instances": [[1, 2], [3, 4]]}, "row"),
        ({"signature_name": "", "instances": [[1, 2], [3, 4]]}, "row"),
    ],
)
def test_one_input(decode, body: Any, form: str) -> None:
    assert decode(body) == Inference([Tensor("x", "FP32", (2, 2), floats(1, 2, 3, 4))], None, form)


@pytest.mark.parametrize(
    "body",
    [
        {"instances": [{"a": [1, 2], "t": "ä"}, {"t": {"b64": "/wA="}, "a": [3, 4]}]},
        {"inputs": {"t": ["ä", {"b64": "/wA="}], "a": [[1, 2], [3, 4]]}},
    ],
)
def test_several_inputs_and_bytes(decode, body: Any) -> None:
    assert decode(body, TWO).tensors == [
        Tensor("a", "FP32", (2, 2), floats(1, 2, 3, 4)),
        Tensor("t", "BYTES", (2,), ["ä".encode(), b"\xff\0"]),
    ]


@pytest.mark.parametrize("key", ["instances", "inputs"])
def test_bytes_at_any_depth(decode, key: str) -> None:
    body = {key: [[{"b64": "YQ=="}, {"b64": ""}], ["b", {"b64": "Yw=="}]]}
    assert decode(body, [("t", "BYTES", (-1, 2))]).tensors == [
        Tensor("t", "BYTES", (2, 2), [b"a", b"", b"b", b"c"])
    ]


def test_one_text_column(decode) -> None:
    assert decode({"inputs": {"b64": "YQ=="}}, [("t", "BYTES", ())]).tensors == [
        Tensor("t", "BYTES", (), [b"a"])
    ]
    assert decode({"inputs": 3}, [("n", "INT8", ())]).tensors == [Tensor("n", "INT8", (), b"\3")]


def test_nan_and_infinity(decode) -> None:
    tensor = decode(b'{"instances": [[NaN, Infinity]]}').tensors[0]
    assert tensor == Tensor("x", "FP32", (1, 2), floats(float("nan"), float("inf")))


@pytest.mark.parametrize("action", ["classify", "regress"])
def test_examples_with_a_shared_context(decode, action: str) -> None:
    body = {"context": {"t": "same"}, "examples": [{"a": [1, 2]}, {"a": [3, 4], "t": "own"}]}
    assert decode(body, TWO, action) == Inference(
        [
            Tensor("a", "FP32", (2, 2), floats(1, 2, 3, 4)),
            Tensor("t", "BYTES", (2,), [b"same", b"own"]),
        ],
        None,
        action,
    )


BAD: list[tuple[Any, str]] = [
    ([], 'the body must be a JSON object, such as {"instances": [...]}'),
    ({}, 'give either "instances" (rows) or "inputs" (columns); got neither'),
    (
        {"instances": [1], "inputs": [1]},
        "give either \"instances\" (rows) or \"inputs\" (columns); got ['instances', 'inputs']",
    ),
    (
        {"signature_name": "x", "instances": [1]},
        "there is no signature 'x'; the only one is 'serving_default'",
    ),
    ({"signature_name": [], "instances": [1]}, "there is no signature []; the only one is 'serving_default'"),
    ({"instances": {"x": 1}}, '"instances" must be a list of at least one row'),
    ({"instances": []}, '"instances" must be a list of at least one row'),
    ({"instances": [[1, 2], {"x": [1, 2]}]}, '"instances" mixes objects and bare values'),
    ({"instances": [{"y": 1}]}, "instances[0]: m has no input 'y'; it has ['x']"),
    ({"instances": [{"x": [1, 2]}, {}]}, "instances[1]: the input 'x' is missing"),
    ({"inputs": {"x": [[1, 2]], "z": 1}}, "inputs: m has no input 'z'; it has ['x']"),
    ({"inputs": {}}, "inputs: the input 'x' is missing"),
    ({"instances": [[1, 2], [3]]}, "input 'x' is ragged: lists of 1 and of 2 side by side"),
    ({"instances": [[1, "2"]]}, "input 'x': FP32 takes numbers, data has '2'"),
    ({"instances": [[1, True]]}, "input 'x': FP32 takes numbers, data has True"),
    ({"instances": [[1, {"b64": "YQ=="}]]}, "input 'x': FP32 takes numbers, data has {'b64': 'YQ=='}"),
    ({"instances": [[1, 16777217]]}, "input 'x': 16777217 loses precision as FP32"),
    ({"instances": [[1, -16777217]]}, "input 'x': -16777217 loses precision as FP32"),
    ({"instances": [[1, 2**64 - 1]]}, f"input 'x': {2**64 - 1} loses precision as FP32"),
]


@pytest.mark.parametrize(("body", "message"), BAD, ids=[message[:50] for _, message in BAD])
def test_refused(decode, body: Any, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body)
    assert str(caught.value) == message


@pytest.mark.parametrize("value", ["4e38", "1e400", str(10**400)])
def test_numbers_that_do_not_fit(decode, value: str) -> None:
    if value == "1e400":  # JSON's own reading of it is infinity
        assert decode(b'{"instances": [[1, 1e400]]}').tensors[0].data == floats(1, float("inf"))
        return
    with pytest.raises(InvalidRequest, match="does not fit FP32"):
        decode(f'{{"instances": [[1, {value}]]}}'.encode())


@pytest.mark.parametrize("value", [16777216, 16777218, -(2**60), 0.1])
def test_numbers_that_lose_nothing(decode, value: float) -> None:
    assert decode({"instances": [[1, value]]}).tensors[0].data == floats(1, value)


@pytest.mark.parametrize(
    ("datatype", "value"), [("FP16", 2049), ("FP64", 2**53 + 1), ("FP64", -(2**53) - 1), ("FP32", 2**24 + 1)]
)
def test_precision_of_each_float(decode, datatype: str, value: int) -> None:
    with pytest.raises(InvalidRequest, match="loses precision"):
        decode({"instances": [value]}, [("x", datatype, (-1,))])
    decode({"instances": [value - 1 if value > 0 else value + 1]}, [("x", datatype, (-1,))])


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"b64": "YQ="}, "Incorrect padding"),
        ({"b64": "YQ===="}, "Excess data after padding"),
        ({"b64": "YQ==YQ=="}, "Excess data after padding"),
        ({"b64": "Y!"}, "Only base64 data is allowed"),
        ({"b64": "é"}, "string argument should contain only ASCII characters"),
        ({"b64": 1}, "argument should be bytes, buffer or ASCII string, not 'int'"),
        ({"b64": "YQ==", "x": 1}, "it has 2 keys"),
        ({"b46": "YQ=="}, "it has another key"),
        ({}, "it has 0 keys"),
    ],
)
def test_what_is_no_base64(decode, value: Any, reason: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode({"inputs": [value]}, [("t", "BYTES", (-1,))])
    assert str(caught.value) == f"input 't': an object must be {{\"b64\": base64 text}}: {reason}"


@pytest.mark.parametrize("text", ["b2sgb2s=", "b2sgb2s", "b2sg\r\nb2s=\n", " b2sg b2s "])
def test_base64_in_lines_and_without_padding(decode, text: str) -> None:
    assert decode({"inputs": [{"b64": text}]}, [("t", "BYTES", (-1,))]).tensors[0].data == [b"ok ok"]


def test_several_inputs_need_names(decode) -> None:
    for body in ({"instances": [[1, 2]]}, {"inputs": [[1, 2]]}, {"inputs": {"b64": "YQ=="}}):
        with pytest.raises(InvalidRequest) as caught:
            decode(body, TWO)
        assert str(caught.value) == "m has several inputs: name them in an object: a, t"


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ({"examples": {"x": 1}}, '"examples" must be a list of objects {feature: value}'),
        ({"examples": [1]}, '"examples" must be a list of objects {feature: value}'),
        ({"examples": []}, '"examples" must be a list of at least one row'),
        ({"context": 1, "examples": []}, '"context" must be an object of features that all examples share'),
    ],
)
def test_examples_that_are_none(decode, body: Any, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body, action="classify")
    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"max_rows": 1}, '"instances" has 2 rows, the limit is 1; send fewer at a time'),
        ({"max_json_depth": 1}, "input 'x' is nested deeper than 1 levels"),
        ({"max_elements": 3}, "input 'x': shape [2, 2] has more than 3 elements"),
    ],
)
def test_limits_are_settings(decode, settings: Any, message: str) -> None:
    with pytest.raises(ColdpressError) as caught:
        decode({"instances": [[1, 2], [3, 4]]}, **settings)
    assert str(caught.value).startswith(message)


# ------------------------------------------------------------------------------ answers
Y = Tensor("y", "FP32", (2, 2), floats(1, 2, 3, 4))
Z = Tensor("z", "BYTES", (2,), [b"a", b"b"])


def test_a_single_output_has_no_name(answer) -> None:
    assert answer("row", Y) == {"predictions": [[1.0, 2.0], [3.0, 4.0]]}
    assert answer("column", Y) == {"outputs": [[1.0, 2.0], [3.0, 4.0]]}


def test_several_outputs_have_names(answer) -> None:
    assert answer("row", Y, Z) == {"predictions": [{"y": [1.0, 2.0], "z": "a"}, {"y": [3.0, 4.0], "z": "b"}]}
    assert answer("column", Y, Z) == {"outputs": {"y": [[1.0, 2.0], [3.0, 4.0]], "z": ["a", "b"]}}


def test_outputs_of_bytes(answer) -> None:
    image = Tensor("image_bytes", "BYTES", (2,), [b"\xff\0", b""])
    assert answer("row", image) == {"predictions": [{"b64": "/wA="}, {"b64": ""}]}
    with pytest.raises(Unprocessable):
        answer("row", Tensor("image", "BYTES", (1,), [b"\xff"]))


def test_rows_need_one_first_dimension(answer) -> None:
    for other in (Tensor("o", "INT8", (3,), b"abc"), Tensor("o", "INT8", (), b"a")):
        with pytest.raises(InvalidRequest) as caught:
            answer("row", Y, other)
        assert str(caught.value) == (
            f"the outputs {{'y': [2, 2], 'o': {list(other.shape)}}} share no first dimension; "
            'ask by columns, with "inputs"'
        )
        assert "o" in answer("column", Y, other)["outputs"]


def test_nan_and_infinity_are_bare(manifest) -> None:
    tensor = Tensor("y", "FP32", (2,), floats(float("nan"), float("-inf")))
    assert tfserving.encode(Inference([], None, "row"), manifest(), [tensor]).body == (
        b'{"predictions":[NaN,-Infinity]}'
    )


def test_classes(answer) -> None:
    scores = [[["cat", 1.0], ["dog", 2.0]], [["cat", 3.0], ["dog", 4.0]]]
    assert answer("classify", Z, Y, labels=["cat", "dog"]) == {"results": scores}
    assert answer("classify", Y, labels=["cat"])["results"][0] == [["0", 1.0], ["1", 2.0]]
    with pytest.raises(InvalidRequest) as caught:
        answer("classify", Z)
    assert str(caught.value) == "m cannot classify: it has no float output of shape [batch, classes]"


def test_regressions(answer) -> None:
    assert answer("regress", Y, Tensor("r", "FP32", (2, 1), floats(5, 6))) == {"results": [5.0, 6.0]}
    assert answer("regress", Tensor("r", "FP64", (1,), bytes(8))) == {"results": [0.0]}
    with pytest.raises(InvalidRequest, match="cannot regress"):
        answer("regress", Y, Z)


def test_an_answer_too_large_for_json(answer) -> None:
    with pytest.raises(TooLarge):
        answer("row", Tensor("y", "UINT8", (1, 3_000_001), bytes(3_000_001)))


# ------------------------------------------------------------------------------ metadata
def test_status(manifest) -> None:
    fine = {"error_code": "OK", "error_message": ""}
    assert tfserving.status(manifest(), [3, 7]) == {
        "model_version_status": [
            {"version": "3", "state": "AVAILABLE", "status": fine},
            {"version": "7", "state": "AVAILABLE", "status": fine},
        ],
        "name": "m",
        "ready": True,
    }


def test_signature(manifest) -> None:
    def info(name: str, dtype: str, *sizes: str) -> dict[str, Any]:
        dims = [{"size": size, "name": ""} for size in sizes]
        return {"name": name, "dtype": dtype, "tensor_shape": {"dim": dims, "unknown_rank": False}}

    outputs = [("h", "FP16", ()), ("i", "UINT8", (1,)), ("b", "BOOL", (1,)), ("l", "INT64", (1,))]
    assert tfserving.signature(manifest(TWO, outputs)) == {
        "model_spec": {"name": "m", "signature_name": "", "version": "3"},
        "metadata": {
            "signature_def": {
                "signature_def": {
                    "serving_default": {
                        "inputs": {"a": info("a", "DT_FLOAT", "-1", "2"), "t": info("t", "DT_STRING", "-1")},
                        "outputs": {
                            "h": info("h", "DT_HALF"),
                            "i": info("i", "DT_UINT8", "1"),
                            "b": info("b", "DT_BOOL", "1"),
                            "l": info("l", "DT_INT64", "1"),
                        },
                        "method_name": "tensorflow/serving/predict",
                    }
                }
            }
        },
    }

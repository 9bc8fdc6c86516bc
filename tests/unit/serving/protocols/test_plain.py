"""Plain bodies: text and JSON in, predictions out."""

import json
import struct
from typing import Any

import pytest

from coldpress.errors import InvalidRequest, TooLarge, Unprocessable
from coldpress.protocols import plain
from coldpress.protocols.inference import Inference
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.tensors import Tensor

ROUTE = Route("plain", "predict", "m")
TEXT = (("t", "BYTES", (-1,)),)
VECTOR = (("x", "INT8", (-1, 2)),)
FIXED = (("x", "INT8", (2,)),)
STATE = (("x", "INT8", (-1, 2)), ("state", "INT8", (2, -1)), ("rate", "INT8", ()))


@pytest.fixture
def decode(manifest, request_of):
    def run(body: Any, inputs: Any = VECTOR, kind: str = "", **settings: Any) -> Inference:
        headers = {"content_type": kind} if kind else {}
        return plain.decode(request_of(body, **headers), ROUTE, manifest(inputs), Settings(**settings))

    return run


@pytest.fixture
def predictions(manifest):
    def run(rows: int | None, *tensors: Tensor, **model: Any) -> Any:
        response = plain.encode(Inference([], None, rows), manifest(**model), list(tensors))
        assert (response.status, response.headers) == (200, {"content-type": "application/json"})
        return json.loads(response.body)["predictions"]

    return run


# ------------------------------------------------------------------------------ requests
@pytest.mark.parametrize("kind", ["", "application/json", "application/json; charset=utf-8",
                                  "Application/JSON", "application/x-www-form-urlencoded"])  # fmt: skip
def test_json_by_any_of_its_names(decode, kind: str) -> None:
    assert decode([1, 2], kind=kind) == Inference([Tensor("x", "INT8", (1, 2), b"\1\2")], None, 1)


@pytest.mark.parametrize(
    ("body", "inputs", "shape", "rows"),
    [
        ([1, 2], VECTOR, (1, 2), 1),
        ([[1, 2], [1, 2]], VECTOR, (2, 2), 2),
        ({"x": [1, 2]}, VECTOR, (1, 2), 1),
        ([{"x": [1, 2]}], VECTOR, (1, 2), 1),
        ("a", TEXT, (1,), 1),
        (["a", "b"], TEXT, (2,), 2),
        ({"t": "a"}, TEXT, (1,), 1),
        ([1, 2], FIXED, (2,), None),
        ({"x": [1, 2]}, FIXED, (2,), None),
        (5, (("x", "INT8", ()),), (), None),
        ([[1], [2]], (("x", "INT8", (1, 1)),), (2, 1), 2),
    ],
)
def test_nesting_tells_a_row_from_rows(decode, body: Any, inputs: Any, shape: Any, rows: int | None) -> None:
    inference = decode(body, inputs)
    assert (inference.tensors[0].shape, inference.form) == (shape, rows)


def test_null_is_a_missing_number(decode) -> None:
    numbers = (("x", "FP32", (-1, 2)), ("y", "FP64", (-1,)))
    x, y = decode([{"x": [1, None], "y": 2}, {"x": [3, 4], "y": None}], numbers).tensors
    assert str(struct.unpack("<4f", x.data)) == "(1.0, nan, 3.0, 4.0)"
    assert str(memoryview(y.data).cast("B").cast("d").tolist()) == "[2.0, nan]"
    for inputs, value in ((VECTOR, [1, None]), (TEXT, None), (numbers[:1], [None, "a"])):
        with pytest.raises(InvalidRequest, match=r"data has (None|'a')"):
            decode(value, inputs)


def test_several_inputs_with_and_without_a_batch(decode) -> None:
    inference = decode({"x": [1, 2], "state": [[1], [2]], "rate": 9}, STATE)
    assert [tensor.shape for tensor in inference.tensors] == [(1, 2), (2, 1), ()]
    assert inference.form == 1
    with pytest.raises(InvalidRequest) as caught:
        decode([{"x": [1, 2], "state": [[1], [2]], "rate": 9}] * 2, STATE)
    assert str(caught.value) == "m takes one row at a time: 'state' has no batch dimension"


@pytest.mark.parametrize("kind", ["text/plain", "text/plain; charset=UTF-8", 'text/plain;charset="us-ascii"'])
def test_text(decode, kind: str) -> None:
    assert decode("[ä]".encode(), TEXT, kind).tensors == [Tensor("t", "BYTES", (1,), ["[ä]".encode()])]
    assert decode(b"", TEXT, kind).tensors == [Tensor("t", "BYTES", (1,), [b""])]


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (b"\xff", "text/plain", "the text is not UTF-8: 'utf-8' codec can't decode"),
        (b"a", "text/plain; charset=latin-1", "text in 'latin-1' is not read here; send UTF-8"),
        (
            b"a",
            "video/mp4",
            "bodies of type 'video/mp4' are not read here; send application/json, text/plain, ",
        ),
        (b"{", "application/json", "the body is no JSON: "),
        ([], "", "there is no row in the body; send at least one"),
        ({}, "", "row 0: the input 't' is missing"),
        ([{"t": "a"}, {"u": 1}], "", "row 1: m has no input 'u'; it has ['t']"),
        ({"t": 1}, "", "input 't': BYTES takes text, data has 1"),
        (["a", 1], "", "input 't': BYTES takes text, data has 1"),
        (["a", ["b"]], "", "input 't': BYTES takes text, data has ['b']"),
        (None, "", "input 't': BYTES takes text, data has None"),
    ],
)
def test_refused(decode, body: Any, kind: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body, TEXT, kind)
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("body", [[1, 2], 5, [[1, 2]]])
def test_several_inputs_need_names(decode, body: Any) -> None:
    with pytest.raises(InvalidRequest) as caught:
        decode(body, STATE)
    assert str(caught.value) == "m has several inputs; send JSON objects that name them: x, state, rate"


def test_limits_are_settings(decode) -> None:
    with pytest.raises(TooLarge) as caught:
        decode([[1, 2]] * 3, max_rows=2)
    assert str(caught.value) == "the body has 3 rows, the limit is 2; send fewer at a time"
    with pytest.raises(TooLarge):
        decode([[1, 2]] * 3, max_elements=5)
    with pytest.raises(InvalidRequest, match="nested deeper than 1 levels"):
        decode([[1, 2]] * 3, max_json_depth=1)
    with pytest.raises(TooLarge, match="string of 3 bytes"):
        decode(b"abc", TEXT, "text/plain", max_string_bytes=2)


# ------------------------------------------------------------------------------ answers
def floats(*values: float) -> bytes:
    return struct.pack(f"<{len(values)}f", *values)


Y = Tensor("y", "FP32", (2, 2), floats(1, 2, 4, 3))


def test_one_prediction_a_row(predictions) -> None:
    assert predictions(2, Y) == [{"y": [1.0, 2.0]}, {"y": [4.0, 3.0]}]


def test_an_output_without_rows_belongs_to_all(predictions) -> None:
    common = Tensor("c", "INT8", (3,), b"abc")
    assert predictions(2, Y, common) == [
        {"y": [1.0, 2.0], "c": [97, 98, 99]},
        {"y": [4.0, 3.0], "c": [97, 98, 99]},
    ]
    assert predictions(1, common, Tensor("s", "INT8", (), b"d")) == [{"c": [97, 98, 99], "s": 100}]


@pytest.mark.parametrize(
    ("declared", "own"),
    [
        ((-1, 2), True),
        ((2, -1), False),  # always two, as of NonZero: how many rows came is by chance the same
        ((2,), True),  # that is not the answer's rank: what it says does not count
        ((3, 2), True),  # nor is that its length
        ((1, 2), True),
    ],
)
def test_the_declared_shape_tells_rows_from_others(predictions, declared: tuple[int, ...], own: bool) -> None:
    rows = predictions(2, Y, inputs=VECTOR, outputs=[("y", "FP32", declared)])
    assert rows == ([{"y": [1.0, 2.0]}, {"y": [4.0, 3.0]}] if own else [{"y": [[1.0, 2.0], [4.0, 3.0]]}] * 2)


def test_what_a_single_row_has_several_of(predictions) -> None:
    """A detector takes one picture and finds one thing, two, or none."""
    told = {"inputs": [("x", "FP32", (1, 2))], "outputs": [("y", "FP32", (-1, 2))]}
    assert predictions(1, Y, **told) == [{"y": [[1.0, 2.0], [4.0, 3.0]]}]
    assert predictions(1, Tensor("y", "FP32", (1, 2), floats(1, 2)), **told) == [{"y": [[1.0, 2.0]]}]
    assert predictions(1, Tensor("y", "FP32", (0, 2), b""), **told) == [{"y": []}]
    assert predictions(1, Tensor("y", "FP32", (0,), b""), inputs=told["inputs"]) == [{"y": []}]


def test_a_column_of_single_values(decode) -> None:
    column = (("x", "INT8", (-1, 1)), ("t", "BYTES", (-1, 1)))
    for row in ({"x": 1, "t": "a"}, {"x": [1], "t": ["a"]}):
        assert [list(tensor.shape) for tensor in decode(row, column).tensors] == [[1, 1], [1, 1]]
    assert decode(b"a", column[1:], "text/plain").tensors == [Tensor("t", "BYTES", [1, 1], [b"a"])]
    assert decode(b"x,t\n1,a\n2,b\n", column, "text/csv").tensors == [
        Tensor("x", "INT8", [2, 1], b"\1\2"),
        Tensor("t", "BYTES", [2, 1], [b"a", b"b"]),
    ]


def test_a_model_without_a_batch_answers_once(predictions) -> None:
    assert predictions(None, Y) == [{"y": [[1.0, 2.0], [4.0, 3.0]]}]


def test_no_rows_no_predictions(predictions) -> None:
    assert predictions(0, Tensor("y", "FP32", (0, 2), b"")) == []


def test_labels(predictions) -> None:
    other = Tensor("z", "FP32", (2, 2), floats(9, 8, 7, 6))
    assert predictions(2, Y, other, labels=["cat", "dog"]) == [
        {"y": {"cat": 1.0, "dog": 2.0}, "z": {"cat": 9.0, "dog": 8.0}, "label": "dog", "score": 2.0},
        {"y": {"cat": 4.0, "dog": 3.0}, "z": {"cat": 7.0, "dog": 6.0}, "label": "cat", "score": 4.0},
    ]
    assert predictions(None, Tensor("y", "FP32", (2,), floats(5, 6)), labels=["cat", "dog"]) == [
        {"y": {"cat": 5.0, "dog": 6.0}, "label": "dog", "score": 6.0}
    ]


@pytest.mark.parametrize(
    "tensor",
    [
        Tensor("y", "FP32", (3, 2), floats(1, 2, 3, 4, 5, 6)),  # no row for each row
        Tensor("y", "INT8", (2, 2), b"abcd"),  # classes, not scores
        Tensor("y", "FP32", (2, 3), floats(1, 2, 3, 4, 5, 6)),  # other classes
    ],
)
def test_what_is_no_score_a_label(predictions, tensor: Tensor) -> None:
    assert all(list(row) == ["y"] for row in predictions(2, tensor, labels=["cat", "dog"]))


def test_a_label_used_twice_hides_no_score(predictions) -> None:
    assert predictions(1, Tensor("y", "FP32", (1, 2), floats(1, 2)), labels=["a", "a"]) == [
        {"y": [1.0, 2.0], "label": "a", "score": 2.0}
    ]


def test_what_json_cannot_say(predictions) -> None:
    for value in (float("nan"), float("inf")):
        with pytest.raises(Unprocessable) as caught:
            predictions(1, Tensor("y", "FP32", (1,), floats(value)))
        assert str(caught.value) == (
            "the answer holds NaN or infinity, which JSON cannot say; "
            "ask POST /v2/models/m/infer for binary output"
        )


def test_a_common_output_times_rows_is_more_than_fits(predictions) -> None:
    with pytest.raises(TooLarge):
        predictions(4000, Tensor("c", "UINT8", (1000,), bytes(1000)))

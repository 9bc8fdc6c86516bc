"""Answers, against plain onnxruntime's on the same model."""

import base64
import io
import json
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper
from PIL import Image

from .conftest import TYPES, Plane, answers_of, echo, mlp, model_of, optimised, two_inputs, words

ROWS = [[0.1, -0.2, 0.3, 0.4], [5.0, 6.0, -7.0, 8.0]]
LABELS = ("setosa", "versicolor", "virginica")


def expected(rows: list[list[float]] = ROWS) -> Any:
    (probabilities,) = answers_of(mlp(), {"x": np.array(rows, np.float32)})
    return probabilities


def x(data: Any, shape: Any = None, datatype: str = "FP32") -> dict[str, Any]:
    return {"name": "x", "datatype": datatype, "shape": shape or list(np.shape(data)), "data": data}


def test_the_whole_answer_of_the_inference_protocol(plane: Plane) -> None:
    plane.publish("iris", 3, mlp())
    answer = plane.infer("iris", x(ROWS), id="mine", outputs=[{"name": "probabilities"}])
    assert answer.body == {
        "model_name": "iris",
        "model_version": "3",
        "id": "mine",
        "outputs": [
            {
                "name": "probabilities",
                "datatype": "FP32",
                "shape": [2, 3],
                "data": expected().flatten().tolist(),
            }
        ],
    }
    assert (answer.status, answer.headers["x-model-version"]) == (200, "iris/3")


def test_the_whole_plain_answer(plane: Plane) -> None:
    plane.publish("iris", 1, mlp(), labels=LABELS)
    scores = [dict(zip(LABELS, row, strict=True)) for row in expected().tolist()]
    assert plane.predict("iris", ROWS).body == {
        "predictions": [
            {"probabilities": row, "label": max(row, key=row.__getitem__), "score": max(row.values())}
            for row in scores
        ]
    }


@pytest.mark.parametrize(
    "body",
    [ROWS[0], [ROWS[0]], {"x": ROWS[0]}, [{"x": ROWS[0]}]],
    ids=["a row", "a list of a row", "a named row", "a list of a named row"],
)
def test_one_row_however_it_is_written(plane: Plane, body: Any) -> None:
    plane.publish("iris", 1, mlp())
    assert plane.predict("iris", body).body == {
        "predictions": [{"probabilities": expected(ROWS[:1])[0].tolist()}]
    }


@pytest.mark.parametrize("optimise", [False, True])
def test_the_optimised_artefact_answers_the_same_bytes(plane: Plane, tmp_path: Path, optimise: bool) -> None:
    files: list[Any] = [mlp()]
    if optimise:
        data = optimised(mlp(), tmp_path)
        files.insert(0, plane.artifact("iris", 1, data, "model.ort", format="ort", optimised=True))
    plane.publish("iris", 1, *files)
    (output,) = plane.infer("iris", x(ROWS)).body["outputs"]
    assert np.array(output["data"], np.float32).tobytes() == expected().tobytes()


@pytest.mark.parametrize(
    ("body", "content_type", "ids"),
    [
        ("good", "text/plain", [1]),
        ("größe", "text/plain; charset=utf-8", [3]),
        ("", "text/plain", [0]),
        ('"good"', "application/json", [1]),
        ('["good", "bad", "ugly"]', "application/json", [1, 2, 0]),
        ('{"text": "bad"}', "", [2]),
        ('[{"text": "bad"}, {"text": "gr\\u00f6\\u00dfe"}]', "application/x-www-form-urlencoded", [2, 3]),
    ],
)
def test_text(plane: Plane, body: str, content_type: str, ids: list[int]) -> None:
    plane.publish("words", 1, words())
    answer = plane.predict("words", body, headers={"content-type": content_type})
    assert (answer.status, answer.body) == (200, {"predictions": [{"id": number} for number in ids]})


def test_several_inputs(plane: Plane) -> None:
    plane.publish("two", 1, two_inputs())
    row = {"b": [10.0, 20.0], "a": [1.0, 2.0]}
    assert plane.predict("two", [row, row]).body == {
        "predictions": [{"sum": [11.0, 22.0], "difference": [-9.0, -18.0]}] * 2
    }
    a, b = ({"name": name, "datatype": "FP32", "shape": [1, 2], "data": row[name]} for name in "ab")
    answer = plane.infer("two", b, a, outputs=[{"name": "difference"}])
    assert answer.body["outputs"] == [
        {"name": "difference", "datatype": "FP32", "shape": [1, 2], "data": [-9.0, -18.0]}
    ]


def test_empty_and_large_batches(plane: Plane) -> None:
    plane.publish("iris", 1, mlp())
    (output,) = plane.infer("iris", x([], [0, 4])).body["outputs"]
    assert (output["shape"], output["data"]) == ([0, 3], [])
    rows = np.random.default_rng(1).normal(size=(500, 4)).astype(np.float32)
    assert [row["probabilities"] for row in plane.predict("iris", rows.tolist()).body["predictions"]] == (
        expected(rows.tolist()).tolist()
    )


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "BOOL": st.booleans(),
    # By their bits, up to infinity's: Hypothesis' own floats of this width are filtered too much.
    "FP16": st.builds(
        lambda bits, sign: struct.unpack("<e", struct.pack("<H", bits | sign << 15))[0],
        st.integers(0, 0x7C00),
        st.integers(0, 1),
    ),
    "FP32": st.floats(width=32, allow_nan=False),
    "FP64": st.floats(allow_nan=False),
    "BYTES": st.text(),
} | {
    f"{sign}INT{bits}": st.integers(
        0 if sign else -(2 ** (bits - 1)), 2**bits - 1 if sign else 2 ** (bits - 1) - 1
    )
    for sign in ("", "U")
    for bits in (8, 16, 32, 64)
}


@pytest.mark.parametrize("datatype", TYPES)
def test_every_value_of_every_datatype_comes_back_as_it_went(plane: Plane, datatype: str) -> None:
    plane.publish("echo", 1, echo(datatype))

    @settings(max_examples=50, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(st.lists(st.lists(VALUES[datatype], min_size=2, max_size=2)), st.booleans())
    def comes_back(rows: list[list[Any]], nested: bool) -> None:
        flat = [value for row in rows for value in row]
        answer = plane.infer("echo", x(rows if nested else flat, [len(rows), 2], datatype))
        assert answer.status == 200, answer.body
        assert answer.body["outputs"] == [
            {"name": "y", "datatype": datatype, "shape": [len(rows), 2], "data": flat}
        ]

    comes_back()


def test_nan_and_infinity_are_answered_as_tokens_where_clients_read_them(plane: Plane) -> None:
    plane.publish("echo", 1, echo("FP32"))
    body = '{"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [NaN, -Infinity, 1]}]}'
    (output,) = plane.call("POST", "/v2/models/echo/infer", body).body["outputs"]
    assert np.array(output["data"]).tobytes() == np.array([np.nan, -np.inf, 1]).tobytes()
    answer = plane.predict("echo", "[[NaN, 1]]")
    assert answer.status == 422
    assert answer.body["error"].startswith("the answer holds NaN or infinity, which JSON cannot say; ")


def test_a_picture_is_answered_by_a_model_that_takes_pixels(plane: Plane) -> None:
    shape: tuple[str, list[Any]] = ("UINT8", ["n", "h", "w", 3])
    nodes = [
        helper.make_node("Cast", ["image"], ["numbers"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["numbers", "axes"], ["mean"], keepdims=0),
    ]
    axes = {"axes": np.array([1, 2], np.int64)}
    plane.publish("mean", 1, model_of(nodes, {"image": shape}, {"mean": ("FP32", ["n", 3])}, axes))
    buffer = io.BytesIO()
    Image.new("RGB", (5, 4), (10, 20, 30)).save(buffer, "PNG")
    event = {
        "version": "2.0",
        "rawPath": "/models/mean/predict",
        "headers": {"x-api-key": plane.key, "content-type": "image/png"},
        "requestContext": {"http": {"method": "POST", "path": "/models/mean/predict"}, "requestId": "r"},
        "body": base64.b64encode(buffer.getvalue()).decode(),
        "isBase64Encoded": True,
    }
    answer = plane.plane.answer(event)
    assert answer["statusCode"] == 200, answer["body"]
    assert json.loads(answer["body"]) == {"predictions": [{"mean": [10.0, 20.0, 30.0]}]}

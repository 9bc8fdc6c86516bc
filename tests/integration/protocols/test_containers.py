"""Outputs that are no tensors, through the protocols."""

from typing import Any

import pytest

from .conftest import World, model

ZIPMAP = """
g (float[n,2] x) => (float[n,2] raw, seq(map(int64, float)) p) {
  raw = Identity (x)
  p = ai.onnx.ml.ZipMap <classlabels_int64s = [7, 9]> (x)
}"""
NAMED = """
g (float[n,2] x) => (seq(map(string, float)) p) {
  p = ai.onnx.ml.ZipMap <classlabels_strings = ["no", "yes"]> (x)
}"""
SPLIT = "g (float[n] x) => (seq(float[m]) s) { s = SplitToSequence <keepdims = 1> (x) }"


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("store"))
    world.add("zipmap", model(ZIPMAP))
    world.add("named", model(NAMED))
    world.add("split", model(SPLIT))
    return world


def infer(world: World, name: str, shape: list[int], data: list[float], *outputs: str, **more: Any) -> Any:
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": shape, "data": data}]} | more
    answer = world.infer(name, body | {"outputs": [{"name": name} for name in outputs]})
    assert answer.status == 200, answer
    return {row["name"]: (row["shape"], row["data"]) for row in answer.json["outputs"]}


def test_a_sequence_of_maps_is_one_tensor_and_its_keys(world: World) -> None:
    values, keys = ([2, 2], [0.25, 0.75, 1.0, 0.0]), ([2], [7, 9])
    everything = {"raw": values, "p": values, "p.keys": keys}
    data = [0.25, 0.75, 1, 0]
    assert infer(world, "zipmap", [2, 2], data) == everything
    assert infer(world, "zipmap", [2, 2], data, "p") == {"p": values, "p.keys": keys}
    assert infer(world, "zipmap", [2, 2], data, "p.keys") == {"p.keys": keys}
    assert list(infer(world, "zipmap", [2, 2], data, "p.keys", "raw", "p")) == ["p.keys", "raw", "p"]
    assert [row["name"] for row in world.ask("GET", "/v2/models/zipmap").json["outputs"]] == [
        "raw",
        "p",
        "p.keys",
    ]


def test_a_sequence_is_a_tensor_each(world: World) -> None:
    one, two = ([1], [1.0]), ([1], [2.0])
    assert infer(world, "split", [2], [1, 2]) == {"s.0": one, "s.1": two}
    assert infer(world, "split", [2], [1, 2], "s") == {"s.0": one, "s.1": two}
    assert infer(world, "split", [2], [1, 2], "s.1") == {"s.1": two}
    body = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2], "data": [1, 2]}]}
    refused = world.infer("split", body | {"outputs": [{"name": "s.2"}]})
    assert (refused.status, refused.json) == (
        400,
        {"error": "no output 's.2' in this answer; it has 's.0', 's.1'"},
    )
    refused = world.infer("zipmap", body | {"outputs": [{"name": "raw.keys"}]})
    assert refused.status == 400


def test_the_other_protocols(world: World) -> None:
    rows = world.ask("POST", "/v1/models/zipmap:predict", {"inputs": [[0.25, 0.75]]}).json["outputs"]
    assert rows == {"raw": [[0.25, 0.75]], "p": [[0.25, 0.75]], "p.keys": [7, 9]}
    assert world.ask("POST", "/models/zipmap/predict", [0.25, 0.75]).json == {
        "predictions": [{"raw": [0.25, 0.75], "p": [0.25, 0.75], "p.keys": [7, 9]}]
    }
    assert world.ask("POST", "/v1/models/zipmap:classify", {"examples": [{"x": [0.25, 0.75]}]}).json == {
        "results": [[["0", 0.25], ["1", 0.75]]]
    }


def test_keys_are_no_rows_even_where_there_are_as_many(world: World) -> None:
    rows = [[0.25, 0.75], [1.0, 0.0]]
    expected = [{"raw": row, "p": row, "p.keys": [7, 9]} for row in rows]
    assert world.ask("POST", "/models/zipmap/predict", rows).json == {"predictions": expected}
    for count in (1, 2, 3):
        asked = {"instances": [rows[0]] * count}
        answer = world.ask("POST", "/v1/models/zipmap:predict", asked)
        assert (answer.status, answer.json) == (200, {"predictions": expected[:1] * count})


def test_maps_are_classified_by_their_own_keys(world: World) -> None:
    examples = {"examples": [{"x": [0.25, 0.75]}]}
    assert world.ask("POST", "/v1/models/named:classify", examples).json == {
        "results": [[["no", 0.25], ["yes", 0.75]]]
    }
    inputs = [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [0.25, 0.75]}]
    asked = {"inputs": inputs, "outputs": [{"name": "p", "parameters": {"classification": 1}}]}
    for name in ("zipmap", "named"):
        answer = world.infer(name, asked)
        assert (answer.status, [row["name"] for row in answer.json["outputs"]]) == (200, ["p"])
        assert answer.json["outputs"][0]["data"] == ["0.750000:1"]

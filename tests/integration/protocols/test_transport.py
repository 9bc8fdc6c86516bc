"""What surrounds the protocols: encodings, headers, limits, errors; whole requests through the gateway."""

import gzip
import json
import struct
import zlib
from typing import Any

import pytest

from coldpress.settings import Settings

from .conftest import World, model

IDENTITY = "g (float[n] x) => (float[n] y) { y = Identity (x) }"
COUNT = 1000
VALUES = [float(n) for n in range(COUNT)]
JSON = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [COUNT], "data": VALUES}]}
DATA = struct.pack(f"<{COUNT}f", *VALUES)


def binary(size: int = len(DATA)) -> tuple[bytes, dict[str, str]]:
    """A body and its headers."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [COUNT], "parameters": {"binary_data_size": size}}
    text = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    return text + DATA, {"inference_header_content_length": str(len(text))}


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("store"))
    world.add("m", model(IDENTITY))
    world.add("texts", model("g (string[n] t) => (string[n] u) { u = Identity (t) }"))
    world.add("repeat", model("g (int64[r] to) => (float[n] y) { y = ConstantOfShape (to) }"))
    return world


# ------------------------------------------------------------------------------ encodings
PACK = {"gzip": gzip.compress, "deflate": zlib.compress}
UNPACK = {"gzip": gzip.decompress, "deflate": zlib.decompress}


@pytest.mark.parametrize("encoding", PACK)
def test_compressed_both_ways(world: World, encoding: str) -> None:
    body, headers = binary()
    plain = world.infer("m", body, **headers)
    packed = world.infer(
        "m", PACK[encoding](body), content_encoding=encoding, accept_encoding=f"{encoding}, br", **headers
    )
    assert packed.status == 200
    assert UNPACK[encoding](packed.body) == plain.body
    own = ("content-type", "inference-header-content-length", "x-model-version")
    assert {name: packed.headers[name] for name in own} == {name: plain.headers[name] for name in own}
    assert (packed.headers["content-encoding"], packed.headers["vary"]) == (encoding, "accept-encoding")
    assert plain.body.endswith(DATA)


@pytest.mark.parametrize("path", ["/v2/models/m/infer", "/v1/models/m:predict", "/models/m/predict"])
def test_answers_of_every_protocol_are_compressed(world: World, path: str) -> None:
    body: Any = {"v2": JSON, "v1": {"instances": VALUES}, "mo": VALUES}[path[1:3]]
    plain, packed = world.ask("POST", path, body), world.ask("POST", path, body, accept_encoding="gzip")
    assert plain.status == 200
    assert gzip.decompress(packed.body) == plain.body


@pytest.mark.parametrize("accept", ["", "br", "identity", "zstd, br"])
def test_not_compressed_when_not_asked(world: World, accept: str) -> None:
    answer = world.infer("m", JSON, accept_encoding=accept)
    assert "content-encoding" not in answer.headers
    assert answer.json["outputs"][0]["data"] == VALUES


def test_small_answers_and_errors_are_not_compressed(world: World) -> None:
    small = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}]}
    assert "content-encoding" not in world.infer("m", small, accept_encoding="gzip").headers
    error = world.infer("m", JSON | {"outputs": [{"name": "y" * 2000}]}, accept_encoding="gzip")
    assert (error.status, error.headers.get("content-encoding")) == (400, None)
    assert "y" * 2000 in error.json["error"]


def test_an_unknown_encoding(world: World) -> None:
    answer = world.infer("m", JSON, content_encoding="br")
    assert (answer.status, answer.headers["accept-encoding"]) == (400, "gzip, deflate")
    assert answer.json == {"error": "Content-Encoding 'br' is not read here; use gzip, deflate"}


def test_a_bomb(worlds) -> None:
    world = worlds(max_body_bytes=100_000)
    world.add("m", model(IDENTITY))
    answer = world.infer("m", gzip.compress(b" " * 10_000_000), content_encoding="gzip")
    assert (answer.status, answer.json["error"]) == (
        413,
        "the decompressed body has more than 100000 bytes, which is the limit",
    )
    answer = world.infer("m", b" " * 100_001)
    assert (answer.status, answer.json["error"]) == (413, "the body has 100001 bytes, the limit is 100000")


# ------------------------------------------------------------------------------ the gateway's two forms
def test_a_body_as_text_and_as_base64(world: World) -> None:
    body = json.dumps({"inputs": [{"name": "t", "datatype": "BYTES", "shape": [1], "data": ["äß"]}]})
    both = [world.ask("POST", "/v2/models/texts/infer", body.encode(), text=text) for text in (True, False)]
    assert both[0].body == both[1].body
    assert both[0].json["outputs"][0]["data"] == ["äß"]


def test_no_headers_are_required(world: World) -> None:
    body, headers = binary()
    answer = world.infer("m", body, **headers)
    assert (answer.status, answer.headers["content-type"]) == (200, "application/octet-stream")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "nonsense"):
        assert world.infer("m", body, content_type=kind, accept="text/html", **headers).body == answer.body


def test_a_raw_body(world: World) -> None:
    answer = world.infer("m", DATA, inference_header_content_length="0")
    length = int(answer.headers["inference-header-content-length"])
    assert answer.body[length:] == DATA
    assert json.loads(answer.body[:length])["outputs"] == [
        {"name": "y", "datatype": "FP32", "shape": [COUNT], "parameters": {"binary_data_size": 4 * COUNT}}
    ]


# ------------------------------------------------------------------------------ limits
def repeat(count: int, **more: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "to", "datatype": "INT64", "shape": [1], "data": [count]}]} | more


BINARY_OUTPUT = {"parameters": {"binary_data_output": True}}


def test_an_answer_over_lambdas_limit(world: World) -> None:
    answer = world.infer("repeat", repeat(1_600_000))
    assert (answer.status, answer.headers["content-type"]) == (413, "application/json")
    assert "Lambda sends at most 6000000" in answer.json["error"]
    # As base64 a binary answer is a third longer.
    assert world.infer("repeat", repeat(1_120_000, **BINARY_OUTPUT)).status == 200
    assert world.infer("repeat", repeat(1_130_000, **BINARY_OUTPUT)).status == 413
    # It counts what is sent.
    assert world.infer("repeat", repeat(1_600_000), accept_encoding="gzip").status == 200


def test_an_answer_that_could_never_fit_is_not_even_written(world: World) -> None:
    answer = world.infer("repeat", repeat(3_000_001), accept_encoding="gzip")
    assert (answer.status, answer.json["error"]) == (
        413,
        "output 'y' has 3000001 values, and a JSON answer holds at most 3000000: "
        "ask for fewer rows at a time, or for binary tensor data",
    )
    answer = world.infer("repeat", repeat(24_000_001, **BINARY_OUTPUT), accept_encoding="gzip")
    assert (answer.status, "the limit is 96000000" in answer.json["error"]) == (413, True)


def test_more_memory_than_there_is(world: World) -> None:
    answer = world.infer("repeat", repeat(1 << 50))
    assert (answer.status, list(answer.json)) == (413, ["error"])
    assert world.infer("m", JSON).status == 200


NESTED: Any = 1.0
for _ in range(101):
    NESTED = [NESTED]


@pytest.mark.parametrize(
    ("field", "value", "status"),
    [
        ("max_json_depth", 100, 400),
        ("max_elements", 999, 413),
        ("max_inputs", 0, 400),
        ("max_rows", 999, 413),
        ("max_string_bytes", 1, 413),
        ("max_body_bytes", 99, 413),
    ],
)
def test_every_limit_is_a_setting(worlds, field: str, value: int, status: int) -> None:
    world = worlds(**{field: value})
    world.add("m", model(IDENTITY))
    world.add("texts", model("g (string[n] t) => (string[n] u) { u = Identity (t) }"))
    asked: dict[str, tuple[str, Any]] = {
        "max_json_depth": ("/v1/models/m:predict", {"instances": NESTED}),
        "max_rows": ("/models/m/predict", VALUES),
        "max_string_bytes": ("/models/texts/predict", ["ab"]),
    }
    path, body = asked.get(field, ("/v2/models/m/infer", JSON))
    answer = world.ask("POST", path, body)
    assert (answer.status, list(answer.json)) == (status, ["error"])
    assert str(value) in answer.json["error"]


def test_rows_are_limited_in_tensors_too(worlds) -> None:
    world = worlds(max_rows=3)
    world.add("rows", model("g (float[n, k] x) => (float[n, k] y) { y = Identity (x) }"))
    world.add("texts", model("g (string[n] x) => (string[n] y) { y = Identity (x) }"))
    world.add("sound", model(IDENTITY))
    world.add("fixed", model("g (float[4, n] x) => (float[4, n] y) { y = Identity (x) }"))

    def ask(name: str, datatype: str, shape: list[int], *, binary: bool) -> Any:
        count = shape[0] * (shape[1] if len(shape) > 1 else 1)
        tensor: dict[str, Any] = {"name": "x", "datatype": datatype, "shape": shape}
        if not binary:
            value: Any = "a" if datatype == "BYTES" else 1.0
            return world.infer(name, {"inputs": [tensor | {"data": [value] * count}]})
        data = (b"\1\0\0\0a" if datatype == "BYTES" else bytes(4)) * count
        tensor["parameters"] = {"binary_data_size": len(data)}
        head = json.dumps({"inputs": [tensor]}).encode()
        return world.infer(name, head + data, inference_header_content_length=str(len(head)))

    for binary in (False, True, True):
        for name, datatype, shape in (("rows", "FP32", [3, 1]), ("texts", "BYTES", [3])):
            assert ask(name, datatype, shape, binary=binary).status == 200
            more = ask(name, datatype, [4, *shape[1:]], binary=binary)
            assert more.status == 413
            assert more.json == {"error": "input 'x' has 4 rows, the limit is 3; send fewer at a time"}
        # A single row of numbers is one thing, and a dimension that does not vary holds no rows.
        assert ask("sound", "FP32", [1000], binary=binary).status == 200
        assert ask("fixed", "FP32", [4, 5], binary=binary).status == 200


def test_the_limits_of_the_contract_are_the_defaults() -> None:
    assert Settings().max_json_depth == 100


@pytest.mark.parametrize("where", ["data", "parameters", "id", "outputs", "name", "shape", "datatype"])
def test_nesting_up_to_where_the_parser_gives_up(world: World, where: str) -> None:
    for depth in (*range(900, 1000, 7), *range(960, 1000), 5000):
        nested = "[" * depth + "]" * depth
        fields = {"name": '"x"', "shape": "[1]", "datatype": '"FP32"', "data": "[1]"}
        more = "" if where in fields else f',"{where}":{nested}'
        row = ",".join(f'"{key}":{nested if key == where else value}' for key, value in fields.items())
        answer = world.infer("m", f'{{"inputs":[{{{row}}}]{more}}}'.encode())
        assert answer.status == 400, (depth, answer)


class Context:
    """Lambda's, with some time left."""

    def __init__(self, ms: int) -> None:
        self._ms = ms

    def get_remaining_time_in_millis(self) -> int:
        return self._ms


ENDLESS = """
g (int64 count, float[4] x) => (float[4] y) {
  go = Constant<value = bool {1}>()
  y = Loop (count, go, x) <body = b (int64 i, bool more, float[4] a) => (bool go_on, float[4] b) {
    go_on = Identity (more)
    b = Sin (a)
  }>
}"""


def test_a_run_that_would_not_end_in_time(world: World) -> None:
    world.add("endless", model(ENDLESS))
    inputs = [
        {"name": "count", "datatype": "INT64", "shape": [], "data": [2_000_000_000]},
        {"name": "x", "datatype": "FP32", "shape": [4], "data": [0, 0, 0, 0]},
    ]
    event = {
        "rawPath": "/v2/models/endless/infer",
        "headers": {"x-api-key": world.key},
        "requestContext": {"http": {"method": "POST", "path": "/"}},
        "body": json.dumps({"inputs": inputs}),
    }
    for ms in (800, 100):  # stopped on its way, and not begun
        answer = world.plane.answer(event, Context(ms))
        assert (answer["statusCode"], answer["headers"]["retry-after"]) == (503, "1")
        assert list(json.loads(answer["body"])) == ["error"]
    assert world.infer("m", JSON).status == 200


# ------------------------------------------------------------------------------ what the model refuses
ROW = {"name": "x", "datatype": "FP32", "shape": [1], "data": [1]}
REFUSED: dict[str, tuple[list[Any], str]] = {
    "unknown input": ([ROW, ROW | {"name": "z"}], "no input 'z'; the model's inputs are 'x'"),
    "misspelt input": ([ROW | {"name": "z"}], "no input 'z'; the model's inputs are 'x'"),
    "given twice": ([ROW, ROW], "input 'x' came twice"),
    "wrong datatype": ([ROW | {"datatype": "FP64"}], "input 'x' is FP32, but FP64 came"),
    "wrong rank": ([ROW | {"shape": [1, 1]}], "input 'x' has 1 dimensions [-1], but [1, 1] came"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_request_that_does_not_fit_the_model(world: World, case: str) -> None:
    inputs, message = REFUSED[case]
    answer = world.infer("m", {"inputs": inputs})
    assert (answer.status, answer.headers["content-type"]) == (400, "application/json")
    assert answer.json == {"error": message}


def test_a_fixed_dimension_and_an_unknown_output(world: World) -> None:
    world.add("fixed", model("g (float[n,3] x) => (float[n,3] y) { y = Identity (x) }"))
    answer = world.infer("fixed", {"inputs": [ROW | {"shape": [1, 1]}]})
    assert answer.json == {"error": "input 'x' has shape [-1, 3] (-1 is variable), but [1, 1] came"}
    answer = world.infer("m", {"inputs": [ROW], "outputs": [{"name": "z"}]})
    assert (answer.status, answer.json) == (400, {"error": "no output 'z'; the model's outputs are 'y'"})


def test_half_a_surrogate_pair_anywhere(world: World) -> None:
    for changed in ({"name": "\ud800"}, {"datatype": "\ud800"}):
        answer = world.infer("m", {"inputs": [ROW | changed]})
        assert (answer.status, list(answer.json)) == (400, ["error"])
    answer = world.infer("m", {"id": "\ud800", "inputs": [ROW]})
    assert (answer.status, answer.json["id"]) == (200, "\ud800")
    assert world.infer("m", {"inputs": [ROW], "outputs": [{"name": "\udfff"}]}).status == 400


def test_a_declared_shape_that_the_model_does_not_keep(world: World) -> None:
    liar = model("g (float[n] x) => (float[7] y) { y = Abs (x) }")
    world.add("liar", liar)
    answer = world.infer("liar", {"inputs": [ROW | {"shape": [2], "data": [-1, 2]}]})
    assert answer.json["outputs"] == [{"name": "y", "datatype": "FP32", "shape": [2], "data": [1.0, 2.0]}]
    assert world.ask("POST", "/models/liar/predict", [-1, 2]).json == {
        "predictions": [{"y": 1.0}, {"y": 2.0}]
    }


def test_nan_by_protocol(world: World) -> None:
    body = (
        b'{"inputs": [{"name": "x", "datatype": "FP32", "shape": [3], "data": [NaN, Infinity, -Infinity]}]}'
    )
    assert world.infer("m", body).body.endswith(b'"data":[NaN,Infinity,-Infinity]}]}')
    answer = world.ask("POST", "/v1/models/m:predict", b'{"instances": [NaN, 1, -Infinity]}')
    assert answer.body == b'{"predictions":[NaN,1.0,-Infinity]}'
    answer = world.ask("POST", "/models/m/predict", b"[NaN]")
    assert (answer.status, answer.json["error"]) == (
        422,
        "the answer holds NaN or infinity, which JSON cannot say; "
        "ask POST /v2/models/m/infer for binary output",
    )

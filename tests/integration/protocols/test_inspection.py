"""What the data plane says of itself and its models, over the gateway's events."""

from typing import Any

import pytest

from coldpress import __version__

from .conftest import World, model

SCALE = (
    "g (float[n,3] x, int64[2] k) => (float[n,3] y) { two = Constant<value_float=2.0>() y = Mul (x, two) }"
)
X = {"name": "x", "datatype": "FP32", "shape": [-1, 3]}
K = {"name": "k", "datatype": "INT64", "shape": [2]}
Y = {"name": "y", "datatype": "FP32", "shape": [-1, 3]}
INFER = {
    "inputs": [
        {"name": "x", "datatype": "FP32", "shape": [2, 3], "data": [1] * 6},
        {"name": "k", "datatype": "INT64", "shape": [2], "data": [0, 0]},
    ]
}
READ = ("/v2", "/v2/models/m", "/v2/models/m/ready", "/v2/models/m/config", "/v2/models/m/stats",
        "/v2/models/stats", "/v2/health/live", "/v2/health/ready", "/v1/models", "/v1/models/m",
        "/v1/models/m/metadata")  # fmt: skip


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> World:
    world = World(tmp_path_factory.mktemp("store"))
    world.add("m", model(SCALE))
    world.add("m", model(SCALE), version=2)
    world.add("m", model(SCALE), version=10, alias="next")
    world.add("broken", model(SCALE))
    (folder := world.store.folder) or pytest.fail("no folder")
    with open(f"{folder}/models/broken/versions/1/model.onnx", "r+b") as file:  # noqa: PTH123
        file.write(b"XX")
    return world


def test_the_server(world: World) -> None:
    extensions = [
        "binary_tensor_data",
        "classification",
        "model_configuration",
        "model_repository",
        "statistics",
    ]
    expected = {"name": "coldpress", "version": __version__, "extensions": extensions}
    for path in ("/v2", "/v2/"):
        assert world.ask("GET", path).json == expected


def test_health_needs_no_key(world: World) -> None:
    assert world.ask("GET", "/v2/health/live", x_api_key="").json == {"live": True}
    assert world.ask("GET", "/v2/health/ready", x_api_key="").json == {"ready": True}


def test_not_ready(worlds) -> None:
    world = worlds(ort_library="/nowhere/libonnxruntime.so")
    answer = world.ask("GET", "/v2/health/ready")
    assert (answer.status, answer.headers["retry-after"], list(answer.json)) == (503, "1", ["error"])
    assert world.ask("GET", "/v2/health/live").status == 200


@pytest.mark.parametrize(
    ("path", "versions"),
    [
        ("/v2/models/m", ["1", "2", "10"]),
        ("/v2/models/m/versions/1", ["1"]),
        ("/v2/models/m@next", ["10"]),
    ],
)
def test_model_metadata(world: World, path: str, versions: list[str]) -> None:
    assert world.ask("GET", path).json == {
        "name": "m",
        "versions": versions,
        "platform": "onnxruntime_onnx",
        "inputs": [X, K],
        "outputs": [Y],
    }


def test_ready(world: World) -> None:
    for path in ("/v2/models/m/ready", "/v2/models/m/versions/10/ready", "/v2/models/m@next/ready"):
        assert world.ask("GET", path).json == {"name": "m", "ready": True}
    assert world.ask("GET", "/v2/models/broken/ready").status == 500


def test_config(world: World) -> None:
    assert world.ask("GET", "/v2/models/m/config").json == {
        "name": "m",
        "platform": "onnxruntime_onnx",
        "backend": "onnxruntime",
        "version_policy": {"specific": {"versions": [2]}},
        "max_batch_size": 0,
        "input": [
            {"name": "x", "data_type": "TYPE_FP32", "dims": [-1, 3]},
            {"name": "k", "data_type": "TYPE_INT64", "dims": [2]},
        ],
        "output": [{"name": "y", "data_type": "TYPE_FP32", "dims": [-1, 3]}],
    }


def test_config_of_strings(world: World) -> None:
    world.add("texts", model("g (string[n] t) => (string[n] u) { u = Identity (t) }"))
    assert world.ask("GET", "/v2/models/texts/config").json["input"] == [
        {"name": "t", "data_type": "TYPE_STRING", "dims": [-1]}
    ]


def test_stats(worlds) -> None:
    world = worlds()
    world.add("m", model(SCALE))
    world.add("m", model(SCALE), version=2)
    (before,) = world.ask("GET", "/v2/models/m/stats").json["model_stats"]
    assert (before["version"], before["inference_count"]) == ("2", 0)
    assert world.infer("m", INFER).status == 200
    assert world.infer("m", {"inputs": []}).status == 400
    assert world.ask("POST", "/v2/models/m/versions/1/infer", INFER).status == 200
    found = world.ask("GET", "/v2/models/m/versions/2/stats").json
    assert found["scope"] == "this execution environment only; others count for themselves"
    (row,) = found["model_stats"]
    stages = row["inference_stats"]
    assert {name: cell["count"] for name, cell in stages.items()} == {
        "success": 1,
        "fail": 1,
        "queue": 1,
        "compute_input": 1,
        "compute_infer": 1,
        "compute_output": 1,
    }
    assert (
        stages["success"]["ns"] == sum(cell["ns"] for name, cell in stages.items() if "compute" in name) > 0
    )
    assert (row["inference_count"], row["execution_count"]) == (2, 1)
    assert [batch["batch_size"] for batch in row["batch_stats"]] == [2]
    for path in ("/v2/models/stats", "/v2/models/m/stats"):
        rows = world.ask("GET", path).json["model_stats"]
        assert [(row["name"], row["version"]) for row in rows] == [("m", "1"), ("m", "2")]


def index(world: World, body: Any = b"") -> list[dict[str, str]]:
    return world.ask("POST", "/v2/repository/index", body).json  # type: ignore[no-any-return]


def test_index(world: World) -> None:
    world.ask("GET", "/v2/models/broken/ready")
    rows = [row for row in index(world) if row["name"] != "texts"]
    (broken, *others) = rows
    assert others == [
        {"name": "m", "version": version, "state": "READY", "reason": ""} for version in ("1", "2", "10")
    ]
    assert (broken["name"], broken["state"]) == ("broken", "UNAVAILABLE")
    assert "broken" in broken["reason"]
    assert [row for row in index(world, {"ready": True}) if row["name"] != "texts"] == others
    for wrong in ("true", 1, None):
        assert world.ask("POST", "/v2/repository/index", {"ready": wrong}).status == 400
    assert index(world, {}) == index(world, b" ")
    assert world.ask("POST", "/v2/repository/index", []).status == 400


def test_load_and_unload(world: World) -> None:
    load = "/v2/repository/models/m/load"
    for body in (b"", {}, {"parameters": {}}):
        assert (world.ask("POST", load, body).status, world.ask("POST", load, body).json) == (200, {})
    assert (
        world.ask("POST", "/v2/repository/models/m/unload", {"parameters": {"unload_dependents": True}}).json
        == {}
    )
    assert world.infer("m", INFER).status == 200
    overrides = {"parameters": {"config": "{}", "file:1/model.onnx": "AAAA"}}
    refused = world.ask("POST", load, overrides)
    assert refused.status == 400
    assert refused.json["error"].startswith(
        "load takes no parameters (got {'config': '{}', 'file:1/model.onnx'"
    )
    for body in ([], {"parameters": []}, {"parameters": 0}):
        assert world.ask("POST", load, body).status == 400
    assert world.ask("POST", "/v2/repository/models/nothing/load").status == 404


def test_load_needs_an_admin_key(world: World) -> None:
    from coldpress.access import create_key

    key, _ = create_key(world.store, ("predict:*", "read"))
    for verb in ("load", "unload"):
        assert world.ask("POST", f"/v2/repository/models/m/{verb}", x_api_key=key).status == 403
    assert world.infer("m", INFER, x_api_key=key).status == 200


# ------------------------------------------------------------------------------ v1
def test_v1_status_and_labels(world: World) -> None:
    def versions(path: str) -> list[str]:
        found = world.ask("GET", path).json
        assert (found["name"], found["ready"]) == ("m", True)
        assert all(row["state"] == "AVAILABLE" for row in found["model_version_status"])
        return [row["version"] for row in found["model_version_status"]]

    assert versions("/v1/models/m") == ["1", "2", "10"]
    assert versions("/v1/models/m/versions/1") == ["1"]
    assert versions("/v1/models/m/labels/next") == ["10"]


def test_v1_models_and_metadata(world: World) -> None:
    assert {"m", "broken"} <= set(world.ask("GET", "/v1/models").json["models"])
    for path, version in (("", "2"), ("/versions/1", "1"), ("/labels/next", "10")):
        found = world.ask("GET", f"/v1/models/m{path}/metadata").json
        assert found["model_spec"] == {"name": "m", "signature_name": "", "version": version}


def test_v1_predicts_by_version_and_label(world: World) -> None:
    body = {"instances": [{"x": [1, 2, 3], "k": 0}]}
    for path, version in (("", 2), ("/versions/1", 1), ("/labels/next", 10)):
        answer = world.ask("POST", f"/v1/models/m{path}:predict", body)
        assert answer.headers.get("x-model-version", "") in ("", f"m/{version}")
        assert answer.status == 400  # k has no row dimension
        columns = {"inputs": {"x": [[1, 2, 3]], "k": [0, 0]}}
        answer = world.ask("POST", f"/v1/models/m{path}:predict", columns)
        assert (answer.json, answer.headers["x-model-version"]) == ({"outputs": [[2, 4, 6]]}, f"m/{version}")


# ------------------------------------------------------------------------------ all of them
@pytest.mark.parametrize("path", READ)
def test_head_is_get_without_a_body(world: World, path: str) -> None:
    head, get = world.ask("HEAD", path), world.ask("GET", path)
    assert (head.status, head.body) == (200, b"")
    assert head.headers["content-type"] == get.headers["content-type"] == "application/json"
    assert get.body


@pytest.mark.parametrize("path", READ)
def test_answers_to_get_are_never_compressed(world: World, path: str) -> None:
    assert "content-encoding" not in world.ask("GET", path, accept_encoding="gzip, deflate, br").headers


@pytest.mark.parametrize("path", READ)
def test_reading_takes_get_only(world: World, path: str) -> None:
    answer = world.ask("POST", path, {})
    assert (answer.status, list(answer.json)) == (405, ["error"])


@pytest.mark.parametrize(
    "path",
    ["/v2/models/m/infer", "/v2/repository/index", "/v2/repository/models/m/load", "/v1/models/m:predict",
     "/v1/models/m:classify", "/v1/models/m:regress", "/models/m/predict"],
)  # fmt: skip
def test_doing_takes_post_only(world: World, path: str) -> None:
    for method in ("GET", "HEAD", "PUT", "DELETE"):
        assert world.ask(method, path).status == 405


@pytest.mark.parametrize(
    "path",
    ["/v3", "/v2/models", "/v2/models/m/nothing", "/v2/models/m/versions", "/v2/systemsharedmemory/status",
     "/v2/logging", "/v1/models/m:explain", "/v1/models/m/labels/nothing", "/v2/models/nothing",
     "/v2/models/m/versions/99", "/v1/models/nothing", "/v1/models/nothing/metadata"],
)  # fmt: skip
def test_what_is_not_there(world: World, path: str) -> None:
    answer = world.ask("GET", path)
    assert (answer.status, answer.headers["content-type"]) == (404, "application/json")
    assert list(answer.json) == ["error"]


def test_below_a_base_path(worlds) -> None:
    world = worlds(base_path="/serving/prod")
    world.add("m", model(SCALE))
    for base in ("/serving/prod", ""):
        assert world.ask("GET", f"{base}/v2/models/m/ready").json == {"name": "m", "ready": True}
        assert world.ask("POST", f"{base}/v2/models/m/infer", INFER).status == 200
    assert world.ask("GET", "/prod/v2").status == 404

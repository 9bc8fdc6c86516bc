"""`/models` and below, to look at."""

import json
from typing import Any

import pytest

SUMMARY_1 = {
    "version": 1,
    "created": "2026-11-14T10:33:01.000+00:00",
    "size": 1001,
    "artifacts": [
        {
            "key": "models/sentiment/versions/1/model.ort",
            "size": 1001,
            "sha256": "aa" * 32,
            "format": "ort",
            "optimised": True,
            "cpu": ["avx2"],
        },
        {
            "key": "models/sentiment/versions/1/model.onnx",
            "size": 901,
            "sha256": "bb" * 32,
            "format": "onnx",
            "optimised": False,
            "cpu": [],
        },
    ],
    "labels": ["negative", "positive"],
    "metrics": {"accuracy": 0.79},
    "batch_sensitive": False,
}


def test_no_models(api: Any) -> None:
    answer = api.call("GET", "/models")
    assert (answer.status, answer.json) == (200, {"models": []})


def test_all_models(api: Any, register: Any) -> None:
    register("sentiment", 1, prod=True)
    register("sentiment", 2)
    register("digits", 1)
    api.registry.move("sentiment", "canary", {1: 3, 2: 1}, "2026-11-14T12:00:00Z")
    # What ingest writes first: the model shows, without a version.
    api.store.create("models/new/uploads/1.json", b'{"state": "checking"}')

    answer = api.call("GET", "/models", key="reader")

    assert (answer.status, answer.json) == (
        200,
        {
            "models": [
                {"name": "digits", "latest": 1, "aliases": {}},
                {"name": "new", "latest": None, "aliases": {}},
                {
                    "name": "sentiment",
                    "latest": 2,
                    "aliases": {
                        "canary": [{"version": 1, "weight": 0.75}, {"version": 2, "weight": 0.25}],
                        "prod": [{"version": 1, "weight": 1.0}],
                    },
                },
            ]
        },
    )


def test_one_model(api: Any, register: Any) -> None:
    register("sentiment", 1, prod=True)
    answer = api.call("GET", "/models/sentiment")
    assert (answer.status, answer.json) == (
        200,
        {
            "name": "sentiment",
            "latest": 1,
            "versions": [SUMMARY_1],
            "aliases": {"prod": [{"version": 1, "weight": 1.0}]},
            "inputs": [{"name": "text", "datatype": "BYTES", "shape": [-1, 1]}],
            "outputs": [{"name": "scores", "datatype": "FP32", "shape": [-1, 2]}],
        },
    )


def test_inputs_are_those_of_prods_main_version(api: Any, register: Any) -> None:
    from coldpress.registry import TensorInfo

    register("sentiment", 1)
    register("sentiment", 2, inputs=(TensorInfo("words", "BYTES", (-1,)),))
    register("sentiment", 3, inputs=(TensorInfo("ids", "INT64", (-1,)),))
    assert [row["name"] for row in api.call("GET", "/models/sentiment").json["inputs"]] == ["ids"]
    api.registry.move("sentiment", "prod", {1: 0.1, 2: 0.9}, "2026-11-14T12:00:00Z")
    assert [row["name"] for row in api.call("GET", "/models/sentiment").json["inputs"]] == ["words"]


def test_versions(api: Any, register: Any) -> None:
    register("sentiment", 1)
    register("sentiment", 10)
    register("sentiment", 2)
    answer = api.call("GET", "/models/sentiment/versions", key="reader")
    assert answer.status == 200
    assert [row["version"] for row in answer.json["versions"]] == [1, 2, 10]
    assert answer.json["versions"][0] == SUMMARY_1


def test_a_manifest_is_answered_as_it_was_registered(api: Any, register: Any) -> None:
    made = register("sentiment", 1, inline="AAAA")
    answer = api.call("GET", "/models/sentiment/versions/1", key="reader")
    as_json = made.to_json()
    del as_json["inline"]  # a model's weights are nothing for readers
    as_json["artifacts"] = [row | {"cpu": list(row["cpu"])} for row in as_json["artifacts"]]
    as_json["inputs"] = [row | {"shape": list(row["shape"])} for row in as_json["inputs"]]
    as_json["outputs"] = [row | {"shape": list(row["shape"])} for row in as_json["outputs"]]
    assert (answer.status, answer.json) == (200, as_json | {"labels": list(made.labels)})


@pytest.mark.parametrize(
    ("stored", "answered"),
    [
        ('{"loss": NaN, "worst": -Infinity, "accuracy": 1}', {"loss": None, "worst": None, "accuracy": 1.0}),
        ('{"name": "x", "nested": {"a": 1}, "f1": 0.5}', {"f1": 0.5}),
        ("[1, 2]", {}),
        ("{not json", {}),
        (f'{{"parameters": 1{"0" * 400}, "f1": 0.5}}', {"parameters": None, "f1": 0.5}),
        (f'{{"parameters": 1{"0" * 5000}}}', {}),  # more digits than Python reads
        ('{"a":' * 100_000, {}),
    ],
    ids=lambda value: str(value)[:40],
)
def test_metrics_are_the_authors_and_never_an_error(
    api: Any, register: Any, stored: str, answered: dict[str, Any]
) -> None:
    register("sentiment", 1, metadata={"coldpress.metrics": stored})
    answer = api.call("GET", "/models/sentiment")
    assert (answer.status, answer.json["versions"][0]["metrics"]) == (200, answered)


@pytest.mark.parametrize(("depth", "is_told"), [(198, True), (199, False), (900, False)])
def test_a_warm_up_request_too_deep_to_tell_hides_no_version(
    api: Any, register: Any, depth: int, is_told: bool
) -> None:
    # As deep as ingest takes: what it does not know in a request it leaves alone.
    warmup = json.loads(f'{{"inputs": [], "parameters": {{"a": {"[" * depth}{"]" * depth}}}}}')
    register("sentiment", 1, warmup=warmup)
    answer = api.call("GET", "/models/sentiment/versions/1")
    assert (answer.status, answer.json["warmup"]) == (200, warmup if is_told else None)


def test_nan_in_a_warm_up_request_is_answered_as_null(api: Any, register: Any) -> None:
    nan = {"inputs": [{"name": "x", "shape": [1], "datatype": "FP32", "data": [float("nan")]}]}
    register("sentiment", 1, warmup=nan)
    answer = api.call("GET", "/models/sentiment/versions/1")
    assert answer.status == 200
    assert answer.json["warmup"]["inputs"][0]["data"] == [None]


@pytest.mark.parametrize(
    ("path", "status", "error"),
    [
        (
            "/models/nobody",
            404,
            "model 'nobody' has no version; publish one with: coldpress publish nobody FILE",
        ),
        (
            "/models/nobody/versions",
            404,
            "model 'nobody' has no version; publish one with: coldpress publish nobody FILE",
        ),
        ("/models/sentiment/versions/2", 404, "model 'sentiment' has no version 2"),
        (
            "/models/sentiment/versions/two",
            400,
            "version should be a valid integer, unable to parse string as an integer, got 'two'",
        ),
        (
            "/models/sentiment/versions/0",
            400,
            "version should be greater than or equal to 1, got '0'",
        ),
        (
            "/models/Sentiment",
            400,
            "'Sentiment' cannot name a model: use lower-case letters, digits, '-' and '_', "
            "at most 63, starting with a letter or digit",
        ),
        (
            "/models/..",
            400,
            "'..' cannot name a model: use lower-case letters, digits, '-' and '_', "
            "at most 63, starting with a letter or digit",
        ),
    ],
)
def test_refusals(api: Any, register: Any, path: str, status: int, error: str) -> None:
    register("sentiment", 1)
    answer = api.call("GET", path)
    assert (answer.status, answer.json) == (status, {"error": error})


def test_a_version_says_that_it_is_batch_sensitive(api: Any, register: Any) -> None:
    register("sentiment", 1, metadata={"coldpress.batch_sensitive": "true"})
    assert api.call("GET", "/models/sentiment").json["versions"][0]["batch_sensitive"] is True

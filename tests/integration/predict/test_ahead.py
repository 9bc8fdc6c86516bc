"""Models that are open before anybody asks: named by COLDPRESS_PRELOAD, or frozen into a snapshot."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import snapshot_restore_py

from coldpress import access
from coldpress.serving import DataPlane

from .conftest import NOW, Plane, constant

WARMUP = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 1]}]}


def initialised(plane: Plane, monkeypatch: pytest.MonkeyPatch, **variables: str) -> None:
    """Another execution environment, made as Lambda makes it."""
    for name, value in {"COLDPRESS_STORE": plane.store.url, **variables}.items():
        monkeypatch.setenv(name, value)
    plane.plane = DataPlane.from_environment()


def was_open(plane: Plane, model: str) -> bool:
    answer = plane.predict(model, [1.0])
    assert answer.status == 200, answer.body
    return "open;dur=" not in answer.headers["server-timing"]


# ---------------------------------------------------------------------- COLDPRESS_PRELOAD
def test_named_models_are_open_and_warmed_up_before_the_first_request(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    plane.publish("a", 1, constant(1), warmup=WARMUP)
    plane.publish("b", 1, constant(1))
    plane.registry.move("b", "dev", {1: 1}, NOW)
    plane.publish("c", 1, constant(1))
    initialised(plane, monkeypatch, COLDPRESS_PRELOAD=" a, b@dev ,")
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [(line["preload"], "WarmupTime" in line) for line in lines] == [("a", True), ("b@dev", False)]
    assert [was_open(plane, model) for model in ("a", "b@dev", "c")] == [True, True, False]


def test_a_model_that_cannot_be_preloaded_is_logged_and_left_to_its_first_request(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    plane.publish("a", 1, constant(1))
    initialised(plane, monkeypatch, COLDPRESS_PRELOAD="missing,No Name,a")
    lines = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [line.get("error", "") for line in lines] == [
        "model 'missing' has no alias 'prod'",
        next(line["error"] for line in lines if line["preload"] == "No Name"),
        "",
    ]
    assert "'No Name' cannot name a model" in lines[1]["error"]
    assert was_open(plane, "a")


# ---------------------------------------------------------------------- SnapStart
@pytest.fixture
def hooks(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, list[Any]]]:
    """What is registered to run before a snapshot is taken and after it is restored."""
    found: dict[str, list[Any]] = {"before": [], "after": []}
    for name, kind in (("register_before_snapshot", "before"), ("register_after_restore", "after")):
        monkeypatch.setattr(
            snapshot_restore_py,
            name,
            lambda hook, *arguments, _kind=kind: found[_kind].append(lambda: hook(*arguments)),
        )
    return found


def test_hooks_are_registered_only_where_snapshots_are_taken(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, hooks: dict[str, list[Any]]
) -> None:
    initialised(plane, monkeypatch, AWS_LAMBDA_INITIALIZATION_TYPE="on-demand")
    assert hooks == {"before": [], "after": []}
    initialised(plane, monkeypatch, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
    assert {kind: len(found) for kind, found in hooks.items()} == {"before": 1, "after": 1}


def test_the_snapshot_holds_the_open_library_and_the_models(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, hooks: dict[str, list[Any]]
) -> None:
    plane.publish("a", 1, constant(1))
    initialised(plane, monkeypatch, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start", COLDPRESS_PRELOAD="a")
    hooks["before"][0]()
    assert plane.plane.opener._library.done()
    hooks["after"][0]()
    assert was_open(plane, "a")


def test_what_was_read_before_the_snapshot_is_read_anew(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, hooks: dict[str, list[Any]]
) -> None:
    for version in (1, 2):
        plane.publish("m", version, constant(version), alias="")
    plane.registry.move("m", "prod", {1: 1}, NOW)
    for name in ("COLDPRESS_ALIAS_SECONDS", "COLDPRESS_KEY_SECONDS"):
        monkeypatch.setenv(name, "3600")
    initialised(plane, monkeypatch, AWS_LAMBDA_INITIALIZATION_TYPE="snap-start")
    reconnected: list[bool] = []
    monkeypatch.setattr(plane.plane.store, "reconnect", lambda: reconnected.append(True))
    assert plane.version() == 1
    plane.registry.move("m", "prod", {2: 1}, NOW)
    access.revoke_key(plane.store, next(caller.id for caller in access.list_keys(plane.store)))
    assert plane.version() == 1  # as the snapshot has both
    hooks["after"][0]()
    assert reconnected == [True]
    assert plane.predict("m", [1.0]).status == 401
    assert plane.plane.resolver.manifest("m", "prod", 0, "r").version == 2


# ---------------------------------------------------------------------- deadlines
def test_a_request_without_time_left_is_answered_in_time(plane: Plane) -> None:
    plane.publish("m", 1, constant(1))

    class Context:
        def get_remaining_time_in_millis(self) -> int:
            return 400

    event = {
        "rawPath": "/models/m/predict",
        "headers": {"x-api-key": plane.key},
        "body": "[1.0]",
        "requestContext": {"http": {"method": "POST"}, "requestId": "r"},
    }
    answer = plane.plane.answer(event, Context())
    assert answer["statusCode"] == 503
    assert json.loads(answer["body"]) == {
        "error": "no time was left to run the model; allow the request more time"
    }

"""Versions and aliases, against a folder as the store."""

import json
from pathlib import Path

import pytest

from coldpress.errors import Conflict, InvalidRequest, NotFound
from coldpress.registry import (
    HISTORY,
    Alias,
    Artifact,
    Manifest,
    Registry,
    Route,
    TensorInfo,
    check_name,
    parse_alias,
)
from coldpress.store import Store

NOW = "2026-01-02T03:04:05Z"


@pytest.fixture
def registry(tmp_path: Path) -> Registry:
    return Registry(Store(f"file://{tmp_path}"))


def manifest(version: int, model: str = "m", **changes: object) -> Manifest:
    whole = Manifest(
        model=model,
        version=version,
        created=NOW,
        artifacts=(
            Artifact(f"models/{model}/versions/{version}/model.ort", 7, "a" * 64, "ort", True, ("x86_64",)),
            Artifact(f"models/{model}/versions/{version}/model.onnx", 9, "b" * 64, "onnx", False),
        ),
        inputs=(TensorInfo("text", "BYTES", (-1,)),),
        outputs=(TensorInfo("scores", "FP32", (-1, 2)),),
        runtime="1.31.1",
        labels=("good", "größer"),
        warmup={"inputs": [{"name": "text", "datatype": "BYTES", "shape": [1]}]},
        metadata={"coldpress.recipe": "sentiment"},
        source={"id": "m.1", "size": 9},
    )
    return whole._replace(**changes)  # type: ignore[arg-type]


def with_versions(registry: Registry, *versions: int) -> None:
    for version in versions:
        registry.add(manifest(version))


def routes_of(alias: Alias) -> dict[int, float]:
    return {route.version: route.weight for route in alias.routes}


def test_a_manifest_survives_there_and_back(registry: Registry) -> None:
    registry.add(manifest(3))
    assert registry.manifest("m", 3) == manifest(3)
    assert Manifest.from_json(json.loads(json.dumps(manifest(3).to_json()))) == manifest(3)


def test_fields_of_a_later_coldpress_are_ignored() -> None:
    stored = manifest(1).to_json() | {"explainer": {"kind": "shap"}}
    assert Manifest.from_json(stored) == manifest(1)


def test_a_version_is_immutable(registry: Registry) -> None:
    registry.add(manifest(1))
    registry.add(manifest(1))
    with pytest.raises(Conflict) as caught:
        registry.add(manifest(1, labels=("other",)))
    assert str(caught.value) == "version 1 of 'm' exists already"
    assert registry.manifest("m", 1) == manifest(1)


def test_versions_are_those_with_a_manifest(registry: Registry) -> None:
    with_versions(registry, 10, 9, 1)
    registry.store.create("models/m/versions/11/claim.json", b"{}")
    registry.store.create("models/m/versions/9/report/manifest.json.txt", b"")
    registry.store.create("models/mm/versions/4/manifest.json", b"{}")
    assert registry.versions("m") == [1, 9, 10]
    assert registry.models() == ["m", "mm"]


def test_what_lies_beside_hides_nothing(registry: Registry) -> None:
    with_versions(registry, 1, 2)
    moved = registry.move("m", "prod", {1: 1}, NOW)
    for stray in (
        "README.txt", "Old models/versions/1/manifest.json", "stats/a", "m/notes.txt",
        "m/versions/manifest.json",
        "m/versions/new/manifest.json", "m/versions/02/manifest.json", "m/versions/1_0/manifest.json",
        "m/versions/٣/manifest.json", "m/versions/1/copy/manifest.json",
        "m/aliases/README", "m/aliases/prod (copy).json", "m/aliases/old/prod.json", "m/aliases/stats.json",
    ):  # fmt: skip
        registry.store.create(f"models/{stray}", b"not JSON")
    assert registry.models() == ["m"]
    assert registry.versions("m") == [1, 2]
    assert registry.index() == [("m", 1), ("m", 2)]
    assert registry.aliases("m") == [moved]


def test_what_is_not_there_is_named(registry: Registry) -> None:
    registry.add(manifest(1))
    with pytest.raises(NotFound, match=r"^model 'm' has no version 2$"):
        registry.manifest("m", 2)
    with pytest.raises(NotFound, match=r"^model 'm' has no alias 'prod'$"):
        registry.alias("m")
    with pytest.raises(
        NotFound, match=r"^model 'x' has no version; publish one with: coldpress publish x FILE$"
    ):
        registry.versions("x")
    assert registry.aliases("m") == []


def test_an_alias_carries_its_manifests(registry: Registry) -> None:
    with_versions(registry, 1, 2)
    moved = registry.move("m", "prod", {2: 1, 1: 3}, NOW)
    expected = (Route(1, 0.75, manifest(1)), Route(2, 0.25, manifest(2)))
    assert moved == Alias("m", "prod", expected, (), moved.etag)
    assert registry.alias("m", "prod") == moved
    assert registry.aliases("m") == [moved]


def test_moving_remembers_and_rolling_back_returns(registry: Registry) -> None:
    with_versions(registry, 1, 2)
    registry.move("m", "prod", {1: 1}, "t0")
    registry.move("m", "prod", {1: 0.5, 2: 0.5}, "t1")
    registry.move("m", "prod", {2: 1}, "t2")
    alias = registry.alias("m", "prod")
    assert routes_of(alias) == {2: 1.0}
    assert alias.history == (
        {"routes": [{"version": 1, "weight": 0.5}, {"version": 2, "weight": 0.5}], "until": "t2"},
        {"routes": [{"version": 1, "weight": 1.0}], "until": "t1"},
    )
    assert routes_of(registry.rollback("m", "prod", "t3")) == {1: 0.5, 2: 0.5}
    assert registry.alias("m", "prod").history[0] == {
        "routes": [{"version": 2, "weight": 1.0}],
        "until": "t3",
    }


def test_an_alias_without_a_past_cannot_be_rolled_back(registry: Registry) -> None:
    with_versions(registry, 1)
    registry.move("m", "prod", {1: 1}, NOW)
    with pytest.raises(Conflict, match=r"^alias 'prod' of 'm' has never pointed anywhere else$"):
        registry.rollback("m", "prod", NOW)
    with pytest.raises(NotFound, match=r"^model 'm' has no alias 'dev'$"):
        registry.rollback("m", "dev", NOW)


def test_history_is_bounded(registry: Registry) -> None:
    with_versions(registry, 1, 2)
    for number in range(HISTORY + 5):
        registry.move("m", "prod", {1 + number % 2: 1}, f"t{number}")
    history = registry.alias("m", "prod").history
    assert [row["until"] for row in history] == [f"t{HISTORY + 4 - number}" for number in range(HISTORY)]


def test_a_move_to_where_it_is_keeps_the_way_back(registry: Registry) -> None:
    with_versions(registry, 1, 2)
    registry.move("m", "prod", {1: 1}, "t1")
    moved = registry.move("m", "prod", {1: 2, 2: 2}, "t2")
    assert registry.move("m", "prod", {1: 0.5, 2: 0.5}, "t3") == moved
    assert [row["until"] for row in moved.history] == ["t2"]


def test_a_late_event_does_not_roll_back(registry: Registry) -> None:
    with_versions(registry, 1, 2, 3)
    registry.move("m", "prod", {2: 1}, NOW)
    for version in (1, 2):
        assert routes_of(registry.move("m", "prod", {version: 1}, NOW, only_forward=True)) == {2: 1.0}
    assert registry.alias("m", "prod").history == ()
    assert routes_of(registry.move("m", "prod", {3: 1}, NOW, only_forward=True)) == {3: 1.0}


def test_a_repeated_event_does_not_undo_a_rollback(registry: Registry) -> None:
    with_versions(registry, 1, 2, 3)
    registry.move("m", "prod", {1: 1}, NOW)
    registry.move("m", "prod", {2: 1}, NOW, only_forward=True)
    back = registry.rollback("m", "prod", NOW)
    assert registry.move("m", "prod", {2: 1}, NOW, only_forward=True) == back
    assert routes_of(registry.alias("m", "prod")) == {1: 1.0}
    # The next upload moves it, and so does somebody who wants that version after all.
    assert routes_of(registry.move("m", "prod", {3: 1}, NOW, only_forward=True)) == {3: 1.0}
    assert routes_of(registry.move("m", "prod", {2: 1}, NOW)) == {2: 1.0}


def test_a_canary_counts_as_where_the_alias_points(registry: Registry) -> None:
    with_versions(registry, 1, 2, 3)
    registry.move("m", "prod", {1: 0.9, 3: 0.1}, NOW)
    assert routes_of(registry.move("m", "prod", {2: 1}, NOW, only_forward=True)) == {1: 0.9, 3: 0.1}


@pytest.mark.parametrize(
    "weights",
    [{}, {1: 0}, {1: -1}, {1: 1, 2: 0}, {1: float("nan")}, {1: float("inf")}, {1: 1e308, 2: 1e308}],
)
def test_weights_must_be_positive_and_finite(registry: Registry, weights: dict[int, float]) -> None:
    with_versions(registry, 1, 2)
    with pytest.raises(InvalidRequest) as caught:
        registry.move("m", "prod", weights, NOW)
    assert str(caught.value) == (
        f"weights must be positive and finite, and at least one is needed; got {weights}"
    )
    assert registry.aliases("m") == []


def test_an_alias_never_points_at_a_version_that_is_not_there(registry: Registry) -> None:
    with_versions(registry, 1)
    with pytest.raises(NotFound, match=r"^model 'm' has no version 2$"):
        registry.move("m", "prod", {1: 1, 2: 1}, NOW)
    assert registry.aliases("m") == []


def test_refresh_reads_only_what_has_changed(registry: Registry) -> None:
    with_versions(registry, 1, 2)
    known = registry.move("m", "prod", {1: 1}, NOW)
    assert registry.refresh(known) is known
    moved = registry.move("m", "prod", {2: 1}, NOW)
    assert registry.refresh(known) == moved
    registry.store.delete("models/m/aliases/prod.json")
    with pytest.raises(NotFound, match=r"^model 'm' has no alias 'prod'$"):
        registry.refresh(known)


def test_an_alias_of_a_coldpress_without_history_is_read() -> None:
    data = json.dumps({"routes": [{"version": 1, "weight": 1.0, "manifest": manifest(1).to_json()}]}).encode()
    assert parse_alias("m", "prod", data, "e") == Alias("m", "prod", (Route(1, 1.0, manifest(1)),), (), "e")


RULE = "use lower-case letters, digits, '-' and '_', at most 63, starting with a letter or digit"


@pytest.mark.parametrize("name", ["a", "0", "a-b_c9", "m" * 63])
def test_good_names(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("", "''"), ("A", "'A'"), ("a/b", "'a/b'"), ("..", "'..'"), ("a.b", "'a.b'"), ("-a", "'-a'"),
        ("_a", "'_a'"), ("a b", "'a b'"), ("a\n", "'a\\n'"), ("ß", "'ß'"), ("٣", "'٣'"), ("a@b", "'a@b'"),
        ("a%2fb", "'a%2fb'"), ("a\ud800", "'a\\ud800'"), ("m" * 64, f"'{'m' * 40}… (64 characters)'"),
        ("m" * 300, f"'{'m' * 40}… (300 characters)'"),
    ],
)  # fmt: skip
def test_bad_names(name: str, shown: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_name(name)
    assert str(caught.value) == f"{shown} cannot name a model: {RULE}"
    with pytest.raises(InvalidRequest) as caught:
        check_name(name, "alias")
    assert str(caught.value) == f"{shown} cannot name an alias: {RULE}"


@pytest.mark.parametrize("name", ["stats", "versions", "aliases", "index"])
def test_reserved_names(name: str) -> None:
    with pytest.raises(InvalidRequest, match=f"^'{name}' is a reserved word and cannot name a model$"):
        check_name(name)

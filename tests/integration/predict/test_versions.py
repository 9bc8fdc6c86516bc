"""Which version answers: aliases, versions, shares, moves; and how long a revoked key lives."""

import time
from collections.abc import Callable
from typing import Any

import pytest

from coldpress import access, models
from coldpress.errors import Unavailable

from .conftest import NOW, Plane, constant


def publish(plane: Plane, *versions: int) -> None:
    for version in versions:
        plane.publish("m", version, constant(version), alias="")


def until(seconds: float, what: Callable[[], Any]) -> None:
    """Returns once `what` is true; fails after `seconds`."""
    deadline = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_alias_and_version_name_what_answers(plane: Plane) -> None:
    publish(plane, 1, 2, 3)
    plane.registry.move("m", "prod", {1: 1}, NOW)
    plane.registry.move("m", "dev", {2: 1}, NOW)
    assert plane.version("m") == 1
    assert plane.version("m@prod") == 1
    assert plane.version("m@dev") == 2
    assert plane.version("m/versions/3") == 3
    assert plane.version("m/versions/1") == 1


def test_a_request_id_always_takes_the_same_route(plane: Plane) -> None:
    publish(plane, 1, 2, 3)
    plane.registry.move("m", "prod", {1: 0.6, 2: 0.3, 3: 0.1}, NOW)
    plane.restart(alias_seconds=60.0)
    ids = [f"request-{number}" for number in range(2000)]
    first = [plane.version("m", request_id) for request_id in ids]
    shares = [first.count(version) / len(ids) for version in (1, 2, 3)]
    assert shares == pytest.approx([0.6, 0.3, 0.1], abs=0.03)
    # Whatever another environment has open, and in whatever order it was asked.
    plane.restart(alias_seconds=60.0)
    ids.reverse()
    assert [plane.version("m", request_id) for request_id in ids] == first[::-1]


def test_a_moved_alias_takes_over_and_nothing_is_refused_meanwhile(plane: Plane) -> None:
    publish(plane, 1, 2)
    plane.registry.move("m", "prod", {1: 1}, NOW)
    assert plane.version() == 1
    plane.registry.move("m", "prod", {2: 1}, NOW)
    seen = []

    def taken_over() -> bool:
        seen.append(plane.version())
        return seen[-1] == 2

    until(10, taken_over)
    assert set(seen[:-1]) <= {1}
    plane.registry.rollback("m", "prod", NOW)
    assert plane.version() == 1


def test_an_alias_is_read_again_after_its_time(plane: Plane) -> None:
    publish(plane, 1, 2)
    plane.registry.move("m", "prod", {1: 1}, NOW)
    plane.restart(alias_seconds=3600.0)
    assert plane.version() == 1
    plane.registry.move("m", "prod", {2: 1}, NOW)
    for _ in range(20):
        assert plane.version() == 1
    plane.restart(alias_seconds=0.0)
    assert plane.version() == 2


def test_a_deleted_alias_is_gone(plane: Plane) -> None:
    publish(plane, 1)
    plane.registry.move("m", "prod", {1: 1}, NOW)
    assert plane.version() == 1
    plane.store.delete("models/m/aliases/prod.json")
    answer = plane.predict("m", [1.0])
    assert (answer.status, answer.body) == (404, {"error": "model 'm' has no alias 'prod'"})
    assert plane.version("m/versions/1") == 1


class Frozen:
    """An opening in an environment that is frozen between requests: no progress, then a dead connection."""

    failed = False

    def __init__(self, _work: Callable[[], Any]) -> None:
        pass

    def done(self) -> bool:
        return self.failed

    def result(self) -> Any:
        raise Unavailable("the connection died while the environment was frozen")


@pytest.mark.parametrize("failed", [False, True])
def test_a_frozen_environment_does_not_serve_the_old_version_for_ever(
    plane: Plane, monkeypatch: pytest.MonkeyPatch, failed: bool
) -> None:
    publish(plane, 1, 2)
    plane.registry.move("m", "prod", {1: 1}, NOW)
    assert plane.version() == 1
    monkeypatch.setattr(models, "Aside", Frozen)
    plane.registry.move("m", "prod", {2: 1}, NOW)
    assert [plane.version() for _ in range(3)] == [1, 1, 1]
    monkeypatch.setattr(models, "SWAP_SECONDS", 0.0)
    monkeypatch.setattr(Frozen, "failed", failed)
    assert plane.version() == 2
    assert plane.version() == 2


def test_a_takeover_that_failed_and_that_nobody_asks_for_again_takes_no_room(
    make_plane: Callable[..., Plane], monkeypatch: pytest.MonkeyPatch
) -> None:
    mib = 1 << 20
    plane = make_plane(model_cache_bytes=int(2.5 * mib))
    plane.publish("other", 1, constant(1, mib))
    for version in (1, 2):
        plane.publish("m", version, constant(version, mib), alias="")
    plane.registry.move("m", "prod", {1: 1}, NOW)
    assert plane.version() == 1
    monkeypatch.setattr(models, "Aside", Frozen)
    plane.registry.move("m", "prod", {2: 1}, NOW)
    assert plane.version() == 1
    monkeypatch.setattr(models, "SWAP_SECONDS", 0.0)
    monkeypatch.setattr(Frozen, "failed", True)
    plane.registry.rollback("m", "prod", NOW)
    assert plane.version() == 1
    assert plane.version("other") == 1
    assert {key for key, _ in plane.plane.models._open} == {"m", "other"}


def test_a_version_that_cannot_be_opened_does_not_take_over(plane: Plane) -> None:
    publish(plane, 1, 2)
    plane.registry.move("m", "prod", {1: 1}, NOW)
    assert plane.version() == 1
    plane.store.overwrite("models/m/versions/2/model-0.onnx", b"x" * 100)
    plane.registry.move("m", "prod", {2: 1}, NOW)
    until(10, lambda: plane.version() == 1 and plane.plane.models.failure("m", 2))
    assert plane.version() == 1
    answer = plane.predict("m/versions/2", [1.0])
    assert answer.status == 500
    assert plane.version() == 1


def test_a_revoked_key_dies_with_its_time(plane: Plane) -> None:
    publish(plane, 1)
    plane.registry.move("m", "prod", {1: 1}, NOW)
    for seconds, status in ((3600.0, 200), (0.0, 401)):
        plane.key, caller = access.create_key(plane.store, ("predict:m",))
        plane.restart(key_seconds=seconds)
        assert plane.predict("m", [1.0]).status == 200
        access.revoke_key(plane.store, caller.id)
        assert plane.predict("m", [1.0]).status == status

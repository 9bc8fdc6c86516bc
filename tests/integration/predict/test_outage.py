"""The storage does not answer: what is loaded goes on answering, and says so."""

import json
from typing import Any

import pytest

from coldpress import access, resolver
from coldpress.errors import Unavailable
from coldpress.store import Store

from .conftest import NOW, Plane, constant

DOWN = "the storage does not answer"


class Outage:
    """Takes the storage away and brings it back; counts who asks meanwhile."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.asked: list[str] = []
        self._patch = monkeypatch

    def begin(self) -> None:
        def refuse(_: Store, key: str, *__: Any, **___: Any) -> Any:
            self.asked.append(key)
            raise Unavailable(DOWN)

        for name in ("get", "get_if_changed", "fetch"):
            self._patch.setattr(Store, name, refuse)

    def end(self) -> None:
        self._patch.undo()


@pytest.fixture
def outage(monkeypatch: pytest.MonkeyPatch) -> Outage:
    return Outage(monkeypatch)


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def time(self) -> float:
        return self.now

    monotonic = time


def last_line(capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    line: dict[str, Any] = json.loads(capsys.readouterr().out.splitlines()[-1])
    return line


def test_an_alias_that_cannot_be_read_again_stays_where_it_was(
    plane: Plane, outage: Outage, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    plane.publish("m", 1, constant(1))
    plane.publish("m", 2, constant(2), alias="")
    plane.restart(alias_seconds=0.0, key_seconds=3600.0)
    assert plane.version() == 1
    assert "StaleAliases" not in last_line(capsys)
    outage.begin()
    for _ in range(3):
        assert plane.version() == 1
        line = last_line(capsys)
        assert (line["StaleAliases"], line["alias_stale"]) == (1, DOWN)
        (directive,) = line["_aws"]["CloudWatchMetrics"]
        assert {"Name": "StaleAliases", "Unit": "Count"} in directive["Metrics"]
    # Nobody waits for a storage that is known to be away.
    assert outage.asked == ["models/m/aliases/prod.json"]
    assert plane.predict("m@dev", [1.0]).status == 503
    outage.end()
    plane.registry.move("m", "prod", {2: 1}, NOW)
    assert plane.predict("m/versions/1", [1.0]).status == 200
    assert "StaleAliases" not in last_line(capsys)
    monkeypatch.setattr(resolver, "OUTAGE_SECONDS", 0.0)
    plane.plane.models.unload("m")
    assert plane.version() == 2
    assert "StaleAliases" not in last_line(capsys)


def test_a_cold_request_cannot_be_answered(plane: Plane, outage: Outage) -> None:
    plane.publish("m", 1, constant(1))
    outage.begin()
    answer = plane.predict("m", [1.0])
    assert (answer.status, answer.body, answer.headers["retry-after"]) == (503, {"error": DOWN}, "1")


def test_a_key_that_was_good_is_trusted_for_a_while(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = Clock()
    monkeypatch.setattr(access, "time", clock)
    plane.publish("m", 1, constant(1))
    plane.restart(alias_seconds=3600.0, key_seconds=60.0)
    assert plane.version() == 1
    with monkeypatch.context() as patch:
        outage = Outage(patch)
        outage.begin()

        def after(seconds: float) -> tuple[int, int]:
            clock.now += seconds
            outage.asked.clear()
            return plane.predict("m", [1.0]).status, len(outage.asked)

        assert after(59) == (200, 0)
        assert after(2) == (200, 1)
        assert after(1) == (200, 0)  # nobody waits for a storage that is known to be away
        assert after(5) == (200, 1)
        assert after(access.OUTAGE_TRUST_SECONDS - 10) == (200, 1)
        assert after(10) == (503, 1)
    assert plane.predict("m", [1.0]).status == 200
    access.revoke_key(plane.store, access.list_keys(plane.store)[0].id)
    clock.now += 61
    assert plane.predict("m", [1.0]).status == 401

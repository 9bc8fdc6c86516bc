"""Shadows: what runs after the answer, what it tells, and what it must never do."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import SimpleQueue
from typing import Any

import pytest

from coldpress.afterwards import Afterwards
from coldpress.errors import Conflict, NotFound

from .conftest import NOW, Plane, constant, mlp

MakePlane = Callable[..., Plane]


def lines_of(capfd: pytest.CaptureFixture[str], plane: Plane) -> list[dict[str, Any]]:
    """The log's lines, once nothing is left to do."""
    if plane.plane.shadow is not None:
        plane.plane.shadow.begin()
    return [json.loads(line) for line in capfd.readouterr().out.splitlines()]


def shadows(capfd: pytest.CaptureFixture[str], plane: Plane) -> list[dict[str, Any]]:
    return [line for line in lines_of(capfd, plane) if "shadow_version" in line]


def test_a_shadow_is_compared_after_the_answer(
    make_plane: MakePlane, capfd: pytest.CaptureFixture[str]
) -> None:
    plane = make_plane(shadow="on")
    plane.publish("m", 1, constant(1.0))
    plane.publish("m", 4, constant(4), alias="")
    assert plane.version() == 1
    assert shadows(capfd, plane) == []
    plane.registry.shadow("m", "prod", 4)
    assert plane.version(request_id="abc") == 1
    (line,) = shadows(capfd, plane)
    metrics = {metric["Name"] for metric in line["_aws"]["CloudWatchMetrics"][0]["Metrics"]}
    assert metrics == {"ShadowDuration", "ShadowAgreement", "ShadowDifference", "ShadowErrors"}
    assert line["_aws"]["CloudWatchMetrics"][0]["Namespace"] == "Coldpress"
    assert (line["model"], line["version"], line["shadow_version"], line["alias"]) == ("m", 1, 4, "prod")
    assert (line["ShadowDifference"], line["ShadowErrors"], line["request_id"]) == (3.0, 0, "abc")
    # A version asked for by its number has no shadow, nor has one that the alias has come to point at.
    assert plane.version("m/versions/1") == 1
    plane.registry.move("m", "prod", {4: 1}, NOW)
    while plane.version() != 4:
        time.sleep(0.01)
    shadows(capfd, plane)
    assert plane.version() == 4
    assert shadows(capfd, plane) == []


def test_a_shadow_that_fails_is_told_and_changes_no_answer(
    make_plane: MakePlane, capfd: pytest.CaptureFixture[str]
) -> None:
    plane = make_plane(shadow="on")
    plane.publish("m", 1, constant(1.0))
    plane.publish("m", 2, mlp(), alias="")  # takes other inputs
    plane.publish("m", 3, b"no model", like=mlp(), alias="")
    for version in (2, 3):
        plane.registry.shadow("m", "prod", version)
        assert plane.version() == 1
        (line,) = shadows(capfd, plane)
        assert line["ShadowErrors"] == 1
        assert line["shadow_error"]
        assert "ShadowAgreement" not in line


def test_a_shadow_never_pushes_out_the_model_that_answers(
    make_plane: MakePlane, capfd: pytest.CaptureFixture[str]
) -> None:
    plane = make_plane(shadow="on", model_cache_bytes=300_000)
    plane.publish("m", 1, constant(1.0, padding=200_000))
    plane.publish("m", 2, constant(2.0, padding=200_000), alias="")
    plane.registry.shadow("m", "prod", 2)
    assert plane.version() == 1
    (line,) = shadows(capfd, plane)
    assert "do not fit" in line["shadow_error"]
    assert plane.version() == 1
    answered = [line for line in lines_of(capfd, plane) if line.get("status") == 200]
    assert "OpenTime" not in answered[-1]


def test_a_deployment_without_shadows_runs_none(plane: Plane, capfd: pytest.CaptureFixture[str]) -> None:
    plane.publish("m", 1, constant(1.0))
    plane.publish("m", 2, constant(2.0), alias="")
    plane.registry.shadow("m", "prod", 2)
    before = threading.active_count()
    assert plane.version() == 1
    assert threading.active_count() == before
    assert shadows(capfd, plane) == []


def test_which_versions_may_be_shadows(plane: Plane) -> None:
    for version in (1, 2, 3):
        plane.publish("m", version, constant(version), alias="")
    with pytest.raises(NotFound, match="no alias 'prod'"):
        plane.registry.shadow("m", "prod", 2)
    plane.registry.move("m", "prod", {1: 1}, NOW)
    with pytest.raises(Conflict, match="version 1 answers"):
        plane.registry.shadow("m", "prod", 1)
    with pytest.raises(NotFound, match="no version 9"):
        plane.registry.shadow("m", "prod", 9)
    assert plane.registry.shadow("m", "prod", 2).shadow == 2
    assert json.loads(plane.store.get("models/m/aliases/prod.json").data)["shadow"] == 2
    assert plane.registry.move("m", "prod", {3: 1}, NOW).shadow == 2
    assert plane.registry.move("m", "prod", {2: 1}, NOW).shadow == 0
    assert plane.registry.shadow("m", "prod", 0).shadow == 0


DROPPED = b"no answer: the connection ends"


class ExtensionsApi(BaseHTTPRequestHandler):
    """The two endpoints of Lambda's Extensions API that an internal extension uses."""

    protocol_version = "HTTP/1.1"
    calls: "list[tuple[str, str, str]]"
    events: "SimpleQueue[bytes]"

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.calls.append((self.path, self.headers["Lambda-Extension-Name"], body))
        self._answer(b"{}", {"Lambda-Extension-Identifier": "id-1"})

    def do_GET(self) -> None:
        self.calls.append((self.path, self.headers["Lambda-Extension-Identifier"], ""))
        event = self.events.get()
        if event == DROPPED:
            self.close_connection = True
            return
        self._answer(event, {})

    def _answer(self, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(200)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Silent."""


@pytest.fixture
def extensions() -> Iterator[tuple[str, type[ExtensionsApi]]]:
    handler = type("Handler", (ExtensionsApi,), {"calls": [], "events": SimpleQueue()})
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"127.0.0.1:{server.server_port}", handler
        handler.events.put(b"{}")
        server.shutdown()
        thread.join()


def test_an_extension_keeps_the_environment_awake_until_the_work_is_done(
    extensions: tuple[str, type[ExtensionsApi]],
) -> None:
    address, api = extensions
    afterwards = Afterwards(address)
    register = ("/2020-01-01/extension/register", "coldpress-afterwards", '{"events":["INVOKE"]}')
    following = ("/2020-01-01/extension/event/next", "id-1", "")
    _until(lambda: api.calls == [register, following])
    working, go_on = threading.Event(), threading.Event()

    def work() -> None:
        working.set()
        go_on.wait(10)

    api.events.put(b'{"eventType":"INVOKE"}')
    afterwards.answered(work)
    assert working.wait(10)
    # Lambda would freeze the environment only after the next call.
    assert api.calls == [register, following]
    go_on.set()
    _until(lambda: api.calls == [register, following, following])
    api.events.put(b'{"eventType":"INVOKE"}')
    afterwards.answered(None)
    _until(lambda: len(api.calls) == 4)


def test_an_extension_whose_poll_is_dropped_asks_again(
    extensions: tuple[str, type[ExtensionsApi]], capfd: pytest.CaptureFixture[str]
) -> None:
    address, api = extensions
    afterwards = Afterwards(address)
    done: list[int] = []
    for number in range(3):
        api.events.put(DROPPED)
        api.events.put(b'{"eventType":"INVOKE"}')
        afterwards.answered(lambda number=number: done.append(number))  # type: ignore[misc]
        assert _settled(afterwards)
    assert done == [0, 1, 2]
    _until(lambda: len(api.calls) == 1 + 2 * 3 + 1)
    assert capfd.readouterr().err == ""


def test_an_extension_whose_api_has_gone_still_does_its_work(
    extensions: tuple[str, type[ExtensionsApi]],
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("coldpress.afterwards.PAUSES", (0.0, 0.0, 0.0))
    address, api = extensions
    afterwards = Afterwards(address)
    for _ in range(3):
        api.events.put(DROPPED)
    done: list[int] = []
    for number in range(2):
        afterwards.answered(lambda number=number: done.append(number))  # type: ignore[misc]
        assert _settled(afterwards)
    assert done == [0, 1]
    assert len(api.calls) == 4
    assert capfd.readouterr().err == (
        "the Extensions API gave no event in 3 tries (Broken: the connection was closed without an answer); "
        "what is done after an answer may now wait until the next request\n"
    )


def test_without_an_extensions_api_it_is_a_thread(capfd: pytest.CaptureFixture[str]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"127.0.0.1:{closed.getsockname()[1]}"
    for runtime_api in ("", address):
        done: list[int] = []
        afterwards = Afterwards(runtime_api)
        afterwards.answered(lambda: 1 / 0)
        afterwards.settle()
        afterwards.answered(lambda done=done: done.append(1))  # type: ignore[misc]
        afterwards.settle()
        assert done == [1]
    assert capfd.readouterr().err.count("ZeroDivisionError") == 2


def _settled(afterwards: Afterwards) -> bool:
    """Whether it has nothing left to do, without waiting for ever where it never has."""
    waiting = threading.Thread(target=afterwards.settle, daemon=True)
    waiting.start()
    waiting.join(10)
    return not waiting.is_alive()


def _until(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not what():
        assert time.monotonic() < deadline
        time.sleep(0.005)

"""Second tries, and servers that do not behave."""

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.responses import JSONResponse, PlainTextResponse

from coldpress import errors
from coldpress_ops import transport
from coldpress_ops.client import Client

Serve = Callable[..., tuple[str, list[bytes]]]


@pytest.fixture(autouse=True)
def _no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport._patiently, "sleep", lambda _seconds: None)


@pytest.fixture
def serve() -> Iterator[Serve]:
    """A server that gives each connection the next of some raw answers, then hangs up."""
    listeners: list[socket.socket] = []

    def start(*answers: bytes) -> tuple[str, list[bytes]]:
        listener = socket.create_server(("127.0.0.1", 0))
        listeners.append(listener)
        requests: list[bytes] = []

        def run() -> None:
            with suppress(OSError):  # the listener is closed before all answers are given
                for answer in answers:
                    connection, _ = listener.accept()
                    with connection:
                        requests.append(connection.recv(65_536))
                        connection.sendall(answer)

        threading.Thread(target=run, daemon=True).start()
        return f"http://127.0.0.1:{listener.getsockname()[1]}", requests

    yield start
    for listener in listeners:
        listener.close()


def http(status: str, body: str, *headers: str) -> bytes:
    lines = [f"HTTP/1.1 {status}", f"content-length: {len(body)}", "connection: close", *headers, "", body]
    return "\r\n".join(lines).encode()


GOOD = http("200 OK", '{"models": []}')
BUSY = http("503 Service Unavailable", '{"message": "Service Unavailable"}')
HANGS_UP = b""


@pytest.mark.parametrize(
    "first", [[HANGS_UP], [BUSY], [http("429 Too Many Requests", "")], [HANGS_UP, BUSY, HANGS_UP]]
)
def test_a_read_is_tried_again(serve: Serve, first: list[bytes]) -> None:
    url, requests = serve(*first, GOOD)
    with Client(url) as client:
        assert client.models() == []
    assert len(requests) == len(first) + 1
    assert len(set(requests)) == 1


def test_tries_end(serve: Serve) -> None:
    url, requests = serve(BUSY, BUSY, BUSY, BUSY, GOOD)
    with Client(url) as client, pytest.raises(errors.Unavailable, match=r"^Service Unavailable$"):
        client.models()
    assert len(requests) == 4
    url, requests = serve(*[HANGS_UP] * 4)
    with Client(url) as client, pytest.raises(errors.Unavailable, match=f"^the connection to {url} broke"):
        client.models()
    assert len(requests) == 4


def test_what_must_not_happen_twice_is_tried_once(serve: Serve, onnx_file: Path) -> None:
    calls: list[Callable[[Client], object]] = [
        lambda client: client.rollback("a"),
        lambda client: client.publish("a", onnx_file),
    ]
    for call in calls:
        for answer in (HANGS_UP, BUSY):
            url, requests = serve(answer, GOOD)
            with Client(url) as client, pytest.raises(errors.Unavailable):
                call(client)
            assert len(requests) == 1


def test_an_upload_is_sent_again_from_its_start(deployment: Any, onnx_file: Path) -> None:
    deployment.answers = [PlainTextResponse("slow down", 503), PlainTextResponse("slow down", 503)]
    with Client(deployment.url, deployment.admin) as client:
        assert client.publish("sentiment", onnx_file).version == 1
    assert [body for _, body, _ in deployment.uploaded] == [onnx_file.read_bytes()]


def test_a_prediction_is_asked_again(deployment: Any) -> None:
    deployment.answers = [JSONResponse({"error": "cold"}, 503)]
    with Client(deployment.url, deployment.admin) as client:
        client.predict("sentiment", b"text", "text/plain")
    assert [sent["body"] for sent in deployment.predictions] == ["text", "text"]


def test_a_refused_upload_url(deployment: Any, onnx_file: Path) -> None:
    deployment.answers = [JSONResponse({"error": "the upload URL has expired"}, 403)]
    with (
        Client(deployment.url, deployment.admin) as client,
        pytest.raises(errors.Forbidden, match=r"^the upload URL has expired$"),
    ):
        client.publish("sentiment", onnx_file)


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (http("200 OK", "<html>hello</html>"), "answers, but not as a Coldpress deployment does"),
        (http("200 OK", "[1]"), "answers, but not as a Coldpress deployment does"),
        (http("301 Moved", "", "location: https://elsewhere"), "/models answered 301 Moved"),
        (http("418 I'm a teapot", "<html>"), "/models answered 418 I'm a teapot"),
        (http("404 Not Found", '{"message": "Not Found"}'), "^Not Found$"),
        (b"SSH-2.0-OpenSSH_9.6\r\n", "the connection to .* broke"),
    ],
)
def test_other_servers(serve: Serve, answer: bytes, words: str) -> None:
    url, _ = serve(*[answer] * 4)
    with Client(url) as client, pytest.raises(errors.ColdpressError, match=words):
        client.models()


def test_a_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transport, "TIMEOUT", httpx.Timeout(0.2, connect=5))
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with Client(url) as client, pytest.raises(errors.Unavailable) as caught:
            client.models()
    assert str(caught.value) == f"{url} did not answer within 0.2 s"


def test_credentials_in_a_url_are_not_shown(free_port: int) -> None:
    url = f"http://user:secret@127.0.0.1:{free_port}"
    with Client(url) as client, pytest.raises(transport.Unreachable) as caught:
        client.models()
    assert "secret" not in str(caught.value)


def test_a_proxy_is_for_the_world_outside(
    deployment: Any, monkeypatch: pytest.MonkeyPatch, free_port: int
) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{free_port}")
    with Client(deployment.url, deployment.admin) as client:
        assert client.models() == []
    with Client("http://models.invalid") as client, pytest.raises(transport.Unreachable, match="refused"):
        client.models()

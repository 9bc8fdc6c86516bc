"""The signed upload route."""

import socket
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import httpx
import pytest

from coldpress.uploads import sign_upload
from coldpress_ops.serverprocess import ServerProcess

from .conftest import deliveries, eventually


def signed(server: ServerProcess, key: str, seconds: int = 60) -> str:
    return sign_upload((server.state / "secret").read_text(), key, int(time.time()) + seconds)


def left_over(server: ServerProcess) -> list[Path]:
    return list((server.state / "partial").iterdir())


def test_upload_is_stored_and_delivered(http: httpx.Client, server: ServerProcess) -> None:
    body = b"0123456789" * 90_000
    answer = http.put(signed(server, "incoming/a/t1/model.onnx"), content=body)
    assert (answer.status_code, answer.content) == (200, b"")
    assert (server.state / "objects/incoming/a/t1/model.onnx").read_bytes() == body
    [delivery] = eventually(lambda: [d for d in deliveries(server.state) if "/t1/" in d["key"]])
    assert (delivery["key"], delivery["size"]) == ("incoming/a/t1/model.onnx", len(body))
    assert left_over(server) == []


def test_streamed_upload(http: httpx.Client, server: ServerProcess) -> None:
    answer = http.put(signed(server, "incoming/a/t2/model.onnx"), content=(b"ab" for _ in range(1000)))
    assert answer.status_code == 200
    assert (server.state / "objects/incoming/a/t2/model.onnx").read_bytes() == b"ab" * 1000


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("/uploads/files/incoming/a/t3/m.onnx", "signature does not match"),
        ("/uploads/files/incoming/a/t3/m.onnx?expires=99999999999&signature=00", "signature does not match"),
    ],
)
def test_unsigned(http: httpx.Client, server: ServerProcess, url: str, message: str) -> None:
    answer = http.put(url, content=b"x")
    assert answer.status_code == 403
    assert message in answer.json()["error"]
    assert not (server.state / "objects/incoming/a/t3").exists()


def test_expired(http: httpx.Client, server: ServerProcess) -> None:
    answer = http.put(signed(server, "incoming/a/t3/m.onnx", -1), content=b"x")
    assert answer.status_code == 403
    assert "expired" in answer.json()["error"]


def test_a_signature_is_for_one_key(http: httpx.Client, server: ServerProcess) -> None:
    url = signed(server, "incoming/a/t3/m.onnx").replace("/t3/", "/t4/")
    assert http.put(url, content=b"x").status_code == 403


@pytest.mark.parametrize("key", ["incoming/%2e%2e/%2e%2e/secret", "%2Fetc/x", "incoming//x"])
def test_no_way_out_of_the_store(server: ServerProcess, key: str) -> None:
    secret = (server.state / "secret").read_text()
    url = sign_upload(secret, unquote(key), 99999999999).replace(unquote(key), key)
    # Sent as it is: httpx would tidy the path up.
    address = urlsplit(server.url)
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(f"PUT {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\n\r\nx".encode())
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")
    assert (server.state / "secret").read_text() == secret


@pytest.mark.parametrize("streamed", [False, True])
def test_over_the_limit(http: httpx.Client, server: ServerProcess, streamed: bool) -> None:
    body = b"x" * 1_000_001
    answer = http.put(signed(server, "incoming/a/t5/m.onnx"), content=iter([body]) if streamed else body)
    assert answer.status_code == 413
    assert "the limit is 1000000 (COLDPRESS_MAX_MODEL_BYTES)" in answer.json()["error"]
    assert not (server.state / "objects/incoming/a/t5").exists()
    assert left_over(server) == []


def test_an_upload_that_breaks_off_leaves_nothing(http: httpx.Client, server: ServerProcess) -> None:
    address = urlsplit(server.url)
    url = signed(server, "incoming/a/t6/m.onnx")
    with socket.create_connection((address.hostname, address.port), timeout=5) as connection:
        connection.sendall(f"PUT {url} HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf".encode())
        eventually(lambda: left_over(server))
    eventually(lambda: not left_over(server))
    assert not (server.state / "objects/incoming/a/t6").exists()
    assert http.get("/answer/pid").status_code == 200

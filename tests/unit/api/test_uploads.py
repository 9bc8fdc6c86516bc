"""A place to put a model, and what became of it."""

import json
import re
import threading
import time
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest

from coldpress import uploads

WISH = {"model": "sentiment", "filename": "model.onnx"}


def test_open_an_upload_and_follow_it(api: Any) -> None:
    answer = api.call("POST", "/uploads", WISH | {"size": 5})
    assert answer.status == 201
    ticket = answer.json
    token = ticket["id"].removeprefix("sentiment.")
    key = f"incoming/sentiment/{token}/model.onnx"
    url = ticket.pop("url")
    expires = ticket.pop("expires")
    assert ticket == {"id": f"sentiment.{token}", "method": "PUT", "headers": {}, "key": key}
    assert re.fullmatch("[0-9a-f]{24}", token)

    # The URL is one that the local server's route accepts, until it says it expires.
    parts = urlsplit(url)
    query = parse_qs(parts.query)
    end = int(query["expires"][0])
    assert datetime.fromisoformat(expires).timestamp() == end
    assert abs(end - time.time() - 900) < 60
    assert parts.path == f"/uploads/files/{key}"
    uploads.verify_upload("a secret", key, query["expires"][0], query["signature"][0], end - 1)

    here = {"id": f"sentiment.{token}", "model": "sentiment"}

    def state() -> Any:
        answer = api.call("GET", f"/uploads/sentiment.{token}", key="reader")
        assert answer.status == 200
        return answer.json

    assert state() == here | {"state": "waiting"}
    api.store.create(key, b"model")
    assert state() == here | {"state": "received"}
    progress = f"models/sentiment/uploads/{token}.json"
    api.store.overwrite(progress, b'{"state": "registering"}')
    assert state() == here | {"state": "checking"}
    api.store.overwrite(progress, b'{"state": "ready", "version": 7}')
    assert state() == here | {"state": "ready", "version": 7, "alias": "prod"}
    api.store.overwrite(progress, b'{"state": "rejected", "reason": "not an ONNX file"}')
    assert state() == here | {"state": "rejected", "reason": "not an ONNX file"}


@pytest.mark.parametrize(
    ("given", "kept"), [({}, "prod"), ({"alias": "next"}, "next"), ({"alias": None}, None)]
)
def test_the_alias_that_is_to_move(api: Any, given: dict[str, Any], kept: str | None) -> None:
    key = api.call("POST", "/uploads", WISH | given).json["key"]
    assert uploads.upload_of(api.store, key).alias == kept


def test_the_session_settings_that_are_wanted(api: Any) -> None:
    key = api.call("POST", "/uploads", WISH | {"session": {"arena": False}}).json["key"]
    assert uploads.upload_of(api.store, key).session == {"arena": False}


NAME_RULE = "use lower-case letters, digits, '-' and '_', at most 63, starting with a letter or digit"


@pytest.mark.parametrize(
    ("changes", "status", "error"),
    [
        ({"model": "a/b"}, 400, f"'a/b' cannot name a model: {NAME_RULE}"),
        ({"model": ".."}, 400, f"'..' cannot name a model: {NAME_RULE}"),
        ({"model": "Upper"}, 400, f"'Upper' cannot name a model: {NAME_RULE}"),
        ({"model": ""}, 400, f"'' cannot name a model: {NAME_RULE}"),
        ({"model": "x" * 300}, 400, f"'{'x' * 40}… (300 characters)' cannot name a model: {NAME_RULE}"),
        ({"model": "stats"}, 400, "'stats' is a reserved word and cannot name a model"),
        ({"alias": "A"}, 400, f"'A' cannot name an alias: {NAME_RULE}"),
        ({"filename": "model.pt"}, 400, "'model.pt' must end in .onnx: only ONNX files are ingested"),
        (
            {"filename": "../model.onnx"},
            400,
            "'../model.onnx' cannot be a file name: use letters, digits, '.', '_' and '-', at most 128",
        ),
        ({"session": {"arena": "no"}}, 400, "session.arena should be a valid boolean, got 'no'"),
        ({"size": 0}, 400, "size should be greater than or equal to 1, got 0"),
        ({"size": 1.5}, 400, "size should be a valid integer, got 1.5"),
        (
            {"size": 2049 * 1024 * 1024},
            413,
            "model.onnx has 2148532224 bytes, the limit is 2147483648 (COLDPRESS_MAX_MODEL_BYTES)",
        ),
    ],
)
def test_refused_before_anything_is_stored(
    api: Any, changes: dict[str, Any], status: int, error: str
) -> None:
    answer = api.call("POST", "/uploads", WISH | changes)
    assert (answer.status, answer.json) == (status, {"error": error})
    assert list(api.store.walk("incoming")) == []


LONG = "sentiment." + "x" * 300  # more than a file's name may have


@pytest.mark.parametrize(
    "upload", ["sentiment.0", "nobody.0", "sentiment", "...", "a...", ".", "A.0", "a.%00", "x" * 3000, LONG]
)
def test_no_such_upload(api: Any, upload: str) -> None:
    assert api.call("POST", "/uploads", WISH).status == 201
    answer = api.call("GET", f"/uploads/{upload}")
    assert answer.status == 404
    assert answer.json["error"].startswith("there is no upload ")


def test_a_folder_without_a_secret_takes_no_uploads(make_api: Any) -> None:
    answer = make_api(upload_secret="").call("POST", "/uploads", WISH)
    assert (answer.status, answer.json) == (
        503,
        {"error": "a file:// store takes uploads only with COLDPRESS_UPLOAD_SECRET set"},
    )


class Objects(BaseHTTPRequestHandler):
    """As much of S3 as signing needs: objects by path, over real HTTP."""

    kept: dict[str, bytes]
    protocol_version = "HTTP/1.1"

    def do_PUT(self) -> None:
        self.kept[urlsplit(self.path).path] = self.rfile.read(int(self.headers["content-length"]))
        self._reply(200, b"")

    def do_GET(self) -> None:
        data = self.kept.get(urlsplit(self.path).path)
        self._reply(404 if data is None else 200, data or b"")

    def _reply(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("etag", '"1"')
        self.send_header("last-modified", "Sat, 14 Nov 2026 10:33:05 GMT")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Quiet."""


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, bytes]]:
    kept: dict[str, bytes] = {}
    server = ThreadingHTTPServer(("127.0.0.1", 0), type("Bucket", (Objects,), {"kept": kept}))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{server.server_port}")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIAIOSFODNN7EXAMPLE")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "example")
    monkeypatch.setenv("AWS_REGION", "eu-central-1")
    yield kept
    server.shutdown()
    server.server_close()
    thread.join()


def test_on_s3_the_url_is_presigned(make_api: Any, bucket: dict[str, bytes]) -> None:
    api = make_api(store="s3://models")
    ticket = api.call("POST", "/uploads", WISH).json

    query = parse_qs(urlsplit(ticket["url"]).query)
    assert query["X-Amz-Expires"] == ["900"]
    assert query["X-Amz-SignedHeaders"] == ["host"]
    # Nothing but what the ticket says is sent: no API key, no other header.
    answer = httpx.request(
        ticket["method"], ticket["url"], content=b"model", headers=ticket["headers"], timeout=10
    )
    assert answer.status_code == 200
    assert bucket[f"/models/{ticket['key']}"] == b"model"
    record = f"/models/{ticket['key'].removesuffix('model.onnx')}upload.json"
    assert json.loads(bucket[record]) == {"filename": "model.onnx", "alias": "prod"}

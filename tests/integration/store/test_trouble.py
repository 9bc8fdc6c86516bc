"""Storage that refuses, lies or does not answer."""

import socket
import threading
from http.server import BaseHTTPRequestHandler

import pytest
from typer.testing import CliRunner

from coldpress import store as store_module
from coldpress.errors import Unavailable
from coldpress.ingest import transaction
from coldpress.probe import probe
from coldpress.store import PART_BYTES, Store, StoreUnusable
from coldpress.uploads import Upload
from coldpress_ops.cli import app

from .conftest import LaxS3


def test_a_wrong_secret_is_told(s3_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    Store(s3_url).create("a", b"1")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong")
    with pytest.raises(Unavailable) as caught:
        Store(s3_url).get("a")
    assert str(caught.value).startswith("object storage failed at a: SignatureDoesNotMatch: ")
    assert "\n" not in str(caught.value)


def test_a_missing_bucket_is_no_missing_object(s3_environment: str) -> None:
    assert s3_environment
    store = Store("s3://no-such-bucket")
    for read in (store.get, lambda key: list(store.walk(key)), store.folders):
        with pytest.raises(Unavailable, match=r"object storage failed at a: "):
            read("a")


@pytest.mark.timeout(20)  # obstore's own limits would take minutes
def test_a_server_that_is_not_there_is_told_soon(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, but nobody listens
        for name, value in {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{taken.getsockname()[1]}",
            "AWS_ACCESS_KEY_ID": "any",
            "AWS_SECRET_ACCESS_KEY": "any",
        }.items():
            monkeypatch.setenv(name, value)
        store, messages = Store("s3://bucket"), []
        for attempt in (lambda: store.get("a"), lambda: store.create("a", b"1")):
            with pytest.raises(Unavailable) as caught:
                attempt()
            messages.append(str(caught.value).removeprefix("object storage failed at a: "))
    assert messages == ["[Errno 111] Connection refused", "HTTP error: error sending request"]


@pytest.mark.timeout(20)
def test_a_server_that_hangs_is_told_soon(lax_s3: LaxS3, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_module, "TIMEOUT_SECONDS", 1)
    monkeypatch.setattr(store_module, "RETRY_SECONDS", 1)
    release = threading.Event()
    asked = []

    def hang(request: BaseHTTPRequestHandler) -> int:
        asked.append(request.command)
        release.wait(15)
        return 500

    lax_s3.before = hang
    store = Store("s3://bucket")
    try:
        for attempt in (lambda: store.get("a"), lambda: store.create("a", b"1"), lambda: probe(store)):
            with pytest.raises(Unavailable, match="object storage failed at "):
                attempt()
    finally:
        release.set()
    assert asked == ["GET", "PUT", "PUT"]  # a second try would take as long again


def test_a_hiccup_is_tried_again(lax_s3: LaxS3) -> None:
    statuses = [503, 500, 0]
    lax_s3.objects["/bucket/a"] = b"1"
    lax_s3.before = lambda _: statuses.pop(0)
    assert Store("s3://bucket").get("a").data == b"1"
    assert statuses == []


def test_large_objects_are_read_in_parallel(lax_s3: LaxS3) -> None:
    size = 4 * PART_BYTES
    lax_s3.objects["/bucket/model"] = data = bytes(range(256)) * (size // 256)
    # Nobody passes until all four are there: read one after the other, the first would wait for ever.
    together = threading.Barrier(4, timeout=8)

    def wait(_: object) -> int:
        together.wait()
        return 0

    lax_s3.before = wait
    assert Store("s3://bucket").fetch("model", size)[:] == data


@pytest.mark.parametrize(
    ("honours", "ignored"),
    [
        (frozenset(), "If-None-Match: *"),
        (frozenset({"If-Match"}), "If-None-Match: *"),
        (frozenset({"If-None-Match"}), "If-Match"),
    ],
)
def test_a_store_that_ignores_conditions_is_refused_by_name(
    lax_s3: LaxS3, honours: frozenset[str], ignored: str
) -> None:
    lax_s3.honours = honours
    store = Store("s3://bucket")
    with pytest.raises(StoreUnusable) as caught:
        probe(store)
    assert str(caught.value) == (
        f"s3://bucket ignores {ignored}: two writers could overwrite each other's versions. "
        "Use a store with conditional writes (S3, SeaweedFS, a folder)"
    )
    assert lax_s3.objects == {}
    # Nobody has to ask: ingest does, before it registers anything, and a new key's maker does.
    with pytest.raises(StoreUnusable, match="ignores"):
        transaction.take(store, Upload("m", "t", "incoming/m/t/m.onnx"), "e")
    made = CliRunner().invoke(app, ["keys", "create", "--store", "s3://bucket"])
    assert (made.exit_code, "s3://bucket ignores" in made.stderr) == (1, True)


def test_the_same_server_passes_once_it_honours_both(lax_s3: LaxS3) -> None:
    lax_s3.honours = frozenset({"If-None-Match", "If-Match"})
    probe(Store("s3://bucket"))
    assert lax_s3.objects == {}

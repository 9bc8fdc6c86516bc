"""What every store promises, each one tried: a folder, S3 and memory."""

import hashlib
import os
from pathlib import Path

import httpx
import pytest

from coldpress.errors import Conflict, Internal, InvalidRequest, NotFound, Unavailable
from coldpress.probe import probe
from coldpress.store import PART_BYTES, Blob, Info, Store

KEYS = ["a", "a/b.json", "a/b/c d+e.json", "a/größe%20100%.onnx", "a/#b~[c]*&=;.json", "a/" + "x" * 200]


def test_what_is_written_is_read(store: Store) -> None:
    etag = store.create("a/b", b"one")
    assert store.get("a/b") == Blob(b"one", etag)
    head = store.head("a/b")
    assert head == Info("a/b", 3, etag, head.modified)
    other = store.overwrite("a/b", b"two!")
    assert other != etag
    assert store.get("a/b") == Blob(b"two!", other)
    assert store.overwrite("new", b"") == store.head("new").etag
    assert store.get("new").data == b""


@pytest.mark.parametrize("key", KEYS)
def test_keys_are_taken_as_they_are(store: Store, key: str) -> None:
    store.create(key, key.encode())
    assert [info.key for info in store.walk("")] == [key]
    assert store.get(key).data == key.encode()
    store.delete(key)
    assert list(store.walk("")) == []


@pytest.mark.parametrize("key", ["../a", "a/../b", "a/./b", "a//b", "a\x00b", "a\nb"])
def test_keys_that_lead_elsewhere_are_refused(store: Store, key: str) -> None:
    writes = (
        lambda: store.create(key, b""),
        lambda: store.overwrite(key, b""),
        lambda: store.replace(key, b"", "e"),
    )
    for attempt in (
        *writes,
        lambda: store.get(key),
        lambda: store.delete(key),
        lambda: list(store.walk(key)),
    ):
        with pytest.raises(InvalidRequest) as caught:
            attempt()
        assert str(caught.value).startswith(f"{key!r} is no object key: ")


def test_keys_longer_than_the_storage_takes_are_refused(url: str) -> None:
    store, key = Store(url), "a/" + "x" * 1100
    attempts = [lambda: store.create(key, b""), lambda: store.overwrite(key, b"")]
    if store.folder is not None:
        attempts += [lambda: str(store.head(key)), lambda: str(store.get_if_changed(key, "e"))]
    for attempt in attempts:
        with pytest.raises(InvalidRequest) as caught:
            attempt()
        assert str(caught.value) == f"{key!r} is no object key: it is too long for this store"


def test_what_is_not_there_is_not_found(store: Store) -> None:
    store.create("a/b", b"")
    reads = (
        store.get,
        store.head,
        lambda key: store.get_if_changed(key, '"e"'),
        lambda key: store.fetch(key, 1),
    )
    for key in ("nothing", "a", "a/b/c"):
        for read in reads:
            with pytest.raises(NotFound) as caught:
                read(key)
            assert str(caught.value) == f"{key} is not in the store"


def test_create_never_overwrites(store: Store) -> None:
    etag = store.create("a", b"first")
    with pytest.raises(Conflict, match=r"^a was written by somebody else first$"):
        store.create("a", b"second")
    assert store.get("a") == Blob(b"first", etag)


def test_replace_needs_the_latest_etag(store: Store) -> None:
    first = store.create("a", b"1")
    second = store.replace("a", b"2", first)
    assert store.get("a") == Blob(b"2", second)
    for stale in (first, '"0"', ""):
        with pytest.raises(Conflict):
            store.replace("a", b"3", stale)
    assert store.get("a") == Blob(b"2", second)


def test_replace_makes_nothing_new(store: Store) -> None:
    with pytest.raises((NotFound, Conflict)):
        store.replace("a", b"1", '"00000000000000000000000000000000"')
    assert list(store.walk("")) == []


def test_a_read_for_changes_is_empty_while_there_are_none(store: Store) -> None:
    etag = store.create("a", b"1")
    assert store.get_if_changed("a", etag) is None
    changed = store.replace("a", b"2", etag)
    assert store.get_if_changed("a", etag) == Blob(b"2", changed)
    assert store.get_if_changed("a", changed) is None


def test_delete_is_content_with_nothing(store: Store) -> None:
    store.create("a/b", b"1")
    for _ in range(2):
        store.delete("a/b")
        store.delete("never/there")
    assert list(store.walk("")) == []
    store.create("a/b", b"2")


def test_listing_knows_whole_segments_only(store: Store) -> None:
    for key in ("m/a/1", "m/a/2/x", "m/ab/1", "m/c", "n/a"):
        store.create(key, key.encode())
    assert sorted(info.key for info in store.walk("m/a")) == ["m/a/1", "m/a/2/x"]
    assert sorted(info.key for info in store.walk("m/a/")) == ["m/a/1", "m/a/2/x"]
    assert sorted((info.key, info.size) for info in store.walk("m")) == [
        ("m/a/1", 5), ("m/a/2/x", 7), ("m/ab/1", 6), ("m/c", 3)
    ]  # fmt: skip
    assert store.folders("m") == ["a", "ab"]
    assert store.folders("m/a") == ["2"]
    assert (list(store.walk("nothing")), store.folders("nothing")) == ([], [])


def test_listings_are_complete_beyond_a_page(store: Store) -> None:
    keys = [f"many/{number:04d}" for number in range(1100)]
    for key in keys:
        store.overwrite(key, b"")
    assert sorted(info.key for info in store.walk("many")) == keys


SIZES = [0, 1, PART_BYTES - 1, PART_BYTES, PART_BYTES + 1, 3 * PART_BYTES + 5]


@pytest.mark.parametrize("size", SIZES)
def test_a_large_object_is_uploaded_and_fetched_whole(store: Store, size: int, tmp_path: Path) -> None:
    path = tmp_path / "model"
    path.write_bytes(os.urandom(size))
    store.upload("a/model", str(path))
    assert store.head("a/model").size == size
    fetched = store.fetch("a/model", size)
    assert fetched[:size] == path.read_bytes()


def test_a_fetched_buffer_is_private(store: Store) -> None:
    store.create("a", b"good")
    buffer = store.fetch("a", 4)
    buffer[:] = b"evil"
    assert store.get("a").data == b"good"


@pytest.mark.parametrize("size", [4, PART_BYTES + 1, 3 * PART_BYTES])
def test_an_object_shorter_than_promised_is_told(store: Store, size: int) -> None:
    store.create("a", b"123")
    with pytest.raises(Internal) as caught:
        store.fetch("a", size)
    assert str(caught.value).endswith(f"than its manifest says ({size} bytes)")


def test_the_probe_passes_and_leaves_nothing(store: Store) -> None:
    probe(store)
    assert list(store.walk("")) == []


def test_a_prefix_in_the_bucket_is_a_store_of_its_own(s3_url: str) -> None:
    whole, part = Store(s3_url), Store(f"{s3_url}/some/prefix/")
    part.create("a/b", b"1")
    whole.create("a/b", b"2")
    assert [info.key for info in part.walk("")] == ["a/b"]
    assert part.fetch("a/b", 1)[:] == b"1"
    assert sorted(info.key for info in whole.walk("")) == ["a/b", "some/prefix/a/b"]


def test_a_signed_url_takes_one_upload(s3_url: str) -> None:
    store = Store(s3_url)
    data = os.urandom(100_000)
    key = "incoming/m/token/a b+c%20ä.onnx"
    signed = store.presign_put(key, 60)
    assert httpx.put(signed, content=data).status_code == 200
    assert hashlib.sha256(store.get(key).data).digest() == hashlib.sha256(data).digest()
    tampered = signed.replace("incoming", "outgoing")
    assert httpx.put(tampered, content=b"evil").status_code == 403
    assert httpx.get(signed).status_code == 403
    assert [info.key for info in store.walk("")] == [key]


def test_only_object_storage_signs(tmp_path: Path) -> None:
    for url in (f"file://{tmp_path}", "memory:///"):
        with pytest.raises(Unavailable) as caught:
            Store(url).presign_put("a", 60)
        scheme = url.partition(":")[0]
        assert str(caught.value) == f"a {scheme}:// store has no signed URLs of its own"

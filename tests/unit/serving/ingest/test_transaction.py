"""The progress record: who may move it from where, on a real folder."""

import json
from pathlib import Path
from typing import Any

import pytest

from coldpress.errors import NotFound, Unavailable
from coldpress.ingest import transaction
from coldpress.ingest.transaction import Superseded
from coldpress.registry import Artifact, Manifest, Registry, TensorInfo
from coldpress.store import Store
from coldpress.uploads import Upload

UPLOAD = Upload("digits", "0190", "incoming/digits/0190/model.onnx")
INFO = (TensorInfo("x", "FP32", (-1, 4)),)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}")


def manifest(version: int) -> Manifest:
    artifact = Artifact(f"models/digits/versions/{version}/model.onnx", 3, "00", "onnx", optimised=False)
    return Manifest("digits", version, "2026-11-22T05:00:00Z", (artifact,), INFO, INFO, "1.31.1")


def stored(store: Store) -> dict[str, Any]:
    record: dict[str, Any] = json.loads(store.get(UPLOAD.progress_key).data)
    return record


_replace = Store.replace


def _refused_ready(store: Store, key: str, data: bytes, etag: str) -> str:
    """The storage is gone when the last step, and only that, is to be recorded."""
    if key == UPLOAD.progress_key and json.loads(data)["state"] == "ready":
        raise Unavailable("the storage does not answer")
    return _replace(store, key, data, etag)


def ready(store: Store, etag: str = "e1") -> int:
    record = transaction.take(store, UPLOAD, etag)
    version = transaction.claim(store, "digits", record)
    record = transaction.commit(store, UPLOAD, record, manifest(version))
    return transaction.finish(store, UPLOAD, record)


def test_the_whole_way() -> None:
    store = Store("memory:///")
    assert ready(store) == 1
    record = stored(store)
    assert record == {
        "etag": "e1",
        "attempt": record["attempt"],
        "at": record["at"],
        "state": "ready",
        "version": 1,
    }
    assert Registry(store).manifest("digits", 1) == manifest(1)
    assert [route.version for route in Registry(store).alias("digits").routes] == [1]


def test_the_same_object_is_ingested_once_and_another_one_again(store: Store) -> None:
    assert ready(store, "e1") == 1
    again = transaction.take(store, UPLOAD, "e1")
    assert (again.state, again.stored["version"]) == ("ready", 1)
    assert ready(store, "e2") == 2


def test_a_checking_record_is_taken_over_and_the_former_attempt_stops(store: Store) -> None:
    first = transaction.take(store, UPLOAD, "e1")
    second = transaction.take(store, UPLOAD, "e1")
    assert first.stored["attempt"] != second.stored["attempt"]
    with pytest.raises(Superseded):
        transaction.confirm(store, UPLOAD, first)
    with pytest.raises(Superseded):
        transaction.commit(store, UPLOAD, first, manifest(1))
    with pytest.raises(Superseded):
        transaction.reject(store, UPLOAD, first, "no")
    with pytest.raises(NotFound):
        store.head(transaction.rejection_key(UPLOAD.key))
    transaction.confirm(store, UPLOAD, second)
    transaction.commit(store, UPLOAD, second, manifest(1))
    assert stored(store)["state"] == "registering"


def test_what_is_committed_is_finished_whoever_comes_and_never_checked_again(store: Store) -> None:
    record = transaction.commit(store, UPLOAD, transaction.take(store, UPLOAD, "e1"), manifest(1))
    for etag in ("e1", "e2"):
        found = transaction.take(store, UPLOAD, etag)
        assert found.state == "registering"
    assert transaction.finish(store, UPLOAD, found) == 1
    # The attempt that committed comes late: nothing changes.
    assert transaction.finish(store, UPLOAD, record) == 1
    assert stored(store)["state"] == "ready"
    assert len(Registry(store).alias("digits").history) == 0


def test_a_late_attempt_does_not_move_the_alias_back(store: Store) -> None:
    late = transaction.commit(store, UPLOAD, transaction.take(store, UPLOAD, "e1"), manifest(1))
    other = Upload("digits", "0191", "incoming/digits/0191/model.onnx")
    record = transaction.commit(store, other, transaction.take(store, other, "e9"), manifest(2))
    transaction.finish(store, other, record)
    assert transaction.finish(store, UPLOAD, late) == 1
    assert [route.version for route in Registry(store).alias("digits").routes] == [2]
    assert Registry(store).versions("digits") == [1, 2]


def test_a_redelivered_event_does_not_undo_a_rollback(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    ready(store, "e1")
    record = transaction.commit(store, UPLOAD, transaction.take(store, UPLOAD, "e2"), manifest(2))
    with monkeypatch.context() as patched:
        patched.setattr(Store, "replace", _refused_ready)
        with pytest.raises(Unavailable):
            transaction.finish(store, UPLOAD, record)
    registry = Registry(store)
    assert [route.version for route in registry.alias("digits").routes] == [2]
    registry.rollback("digits", "prod", "now")
    again = transaction.take(store, UPLOAD, "e2", 2)
    assert transaction.finish(store, UPLOAD, again) == 2
    assert stored(store)["state"] == "ready"
    assert [route.version for route in registry.alias("digits").routes] == [1]


def test_without_an_alias_none_is_moved(store: Store) -> None:
    upload = UPLOAD._replace(alias=None)
    record = transaction.commit(store, upload, transaction.take(store, upload, "e1"), manifest(1))
    transaction.finish(store, upload, record)
    assert Registry(store).versions("digits") == [1]
    assert Registry(store).aliases("digits") == []


def test_a_write_refused_by_its_own_first_try_counts_as_done(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A storage client repeats a write whose answer got lost, and meets what its first try wrote."""
    record = transaction.take(store, UPLOAD, "e1")
    replace = Store.replace

    def twice(self: Store, key: str, data: bytes, etag: str) -> str:
        replace(self, key, data, etag)
        return replace(self, key, data, etag)

    monkeypatch.setattr(Store, "replace", twice)
    committed = transaction.commit(store, UPLOAD, record, manifest(1))
    assert committed.etag == store.get(UPLOAD.progress_key).etag
    assert transaction.finish(store, UPLOAD, committed) == 1
    assert stored(store)["state"] == "ready"


def test_claims_never_share_a_number(store: Store) -> None:
    record = transaction.take(store, UPLOAD, "e1")
    assert [transaction.claim(store, "digits", record) for _ in range(3)] == [1, 2, 3]
    store.create("models/digits/versions/12/claim.json", b"{}")
    assert transaction.claim(store, "digits", record) == 13


def test_a_refusal_is_told_and_told_again_after_a_crash(store: Store) -> None:
    record = transaction.take(store, UPLOAD, "e1")
    transaction.reject(store, UPLOAD, record, "it is empty")
    told = json.loads(store.get("rejected/digits/0190/model.onnx.json").data)
    assert told == {"key": UPLOAD.key, "reason": "it is empty", "at": stored(store)["at"], "etag": "e1"}
    store.delete("rejected/digits/0190/model.onnx.json")
    again = transaction.take(store, UPLOAD, "e1")
    assert again.state == "rejected"
    transaction.tell_rejection(store, UPLOAD.key, again.stored)
    assert json.loads(store.get("rejected/digits/0190/model.onnx.json").data) == told


@pytest.mark.parametrize(
    "key",
    [
        "incoming/Digits/model.onnx",
        "incoming/my model/ü.onnx",
        "incoming/../../etc/passwd.onnx",
        "incoming/m//x.onnx",
        "incoming/m/" + "x" * 3000 + ".onnx",
        "incoming/" + "a/" * 500 + "x.onnx",
        "incoming/\ud800/x.onnx",
        "incoming/./.../x.onnx",
    ],
)
def test_any_key_has_a_safe_place_for_its_refusal(store: Store, key: str) -> None:
    place = transaction.rejection_key(key)
    assert place.startswith("rejected/")
    assert place.isascii()
    assert not {"", ".", ".."} & set(place.split("/"))
    transaction.tell_rejection(store, key, {"reason": "no", "at": "now"})
    assert json.loads(store.get(place).data)["key"] == key


def test_refusals_of_odd_keys_do_not_overwrite_each_other() -> None:
    keys = ["incoming/A b/x.onnx", "incoming/A_b/x.onnx", "incoming/A+b/x.onnx"]
    assert len({transaction.rejection_key(key) for key in keys}) == 3
    assert transaction.rejection_key(UPLOAD.key) == UPLOAD.rejection_key

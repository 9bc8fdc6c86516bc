"""Uploads and their states, against a folder as the store."""

import json
import time
from pathlib import Path

import pytest

from coldpress.errors import Forbidden, InvalidRequest, NotFound
from coldpress.store import Store
from coldpress.uploads import (
    ATTEMPT_SECONDS,
    SILENT_END,
    Upload,
    check_filename,
    new_upload,
    sign_upload,
    state_of,
    upload_of,
    verify_upload,
)

KEY = "incoming/m/token/model.onnx"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(f"file://{tmp_path}")


def test_an_upload_knows_where_everything_is() -> None:
    upload = Upload("m", "token", KEY)
    assert (upload.id, upload.progress_key, upload.rejection_key, upload.alias) == (
        "m.token",
        "models/m/uploads/token.json",
        "rejected/m/token/model.onnx.json",
        "prod",
    )


def test_opening_an_upload_stores_what_its_sender_wants(store: Store) -> None:
    upload = new_upload(store, "m", "big-model.v2.onnx", "dev")
    assert upload == Upload("m", upload.token, f"incoming/m/{upload.token}/big-model.v2.onnx", "dev")
    assert len(upload.token) == 24
    record = json.loads(store.get(f"incoming/m/{upload.token}/upload.json").data)
    assert record == {"filename": "big-model.v2.onnx", "alias": "dev"}
    assert upload_of(store, upload.key) == upload
    assert upload_of(store, new_upload(store, "m", "a.onnx", None).key).alias is None


def test_uploads_list_in_the_order_they_were_opened(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([1_700_000_000_000_000_000, 1_700_000_000_001_000_000, 1_900_000_000_000_000_000])
    monkeypatch.setattr("coldpress.uploads.time.time_ns", lambda: next(times))
    tokens = [new_upload(store, "m", "a.onnx").token for _ in range(3)]
    assert tokens == sorted(tokens)


@pytest.mark.parametrize(
    ("model", "filename", "alias", "message"),
    [
        ("M", "a.onnx", "prod", "'M' cannot name a model: "),
        ("../m", "a.onnx", "prod", "'../m' cannot name a model: "),
        ("m", "a.onnx", "A", "'A' cannot name an alias: "),
        ("m", "a.onnx", "", "'' cannot name an alias: "),
        ("m", "../a.onnx", "prod", "'../a.onnx' cannot be a file name: "),
    ],
)
def test_a_bad_upload_leaves_nothing_behind(
    store: Store, model: str, filename: str, alias: str, message: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        new_upload(store, model, filename, alias)
    assert str(caught.value).startswith(message)
    assert list(store.walk("incoming")) == []


@pytest.mark.parametrize("filename", ["a.onnx", "A_b-1.v2.onnx", "x" * 123 + ".onnx"])
def test_good_file_names(filename: str) -> None:
    assert check_filename(filename) == filename


RULE = "cannot be a file name: use letters, digits, '.', '_' and '-', at most 128"


@pytest.mark.parametrize(
    ("filename", "message"),
    [
        ("", f"'' {RULE}"),
        (".onnx", f"'.onnx' {RULE}"),
        ("-rf.onnx", f"'-rf.onnx' {RULE}"),
        ("a/b.onnx", f"'a/b.onnx' {RULE}"),
        ("a\\b.onnx", f"'a\\\\b.onnx' {RULE}"),
        ("a..onnx", f"'a..onnx' {RULE}"),
        ("a b.onnx", f"'a b.onnx' {RULE}"),
        ("ä.onnx", f"'ä.onnx' {RULE}"),
        ("a\x00.onnx", f"'a\\x00.onnx' {RULE}"),
        ("x" * 124 + ".onnx", f"'{'x' * 40}… (129 characters)' {RULE}"),
        ("model.pt", "'model.pt' must end in .onnx: only ONNX files are ingested"),
        ("model.ONNX", "'model.ONNX' must end in .onnx: only ONNX files are ingested"),
    ],
)
def test_bad_file_names(filename: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        check_filename(filename)
    assert str(caught.value) == message


@pytest.mark.parametrize(
    "key", ["incoming/m/model.onnx", "incoming/m/folder/model.onnx", "incoming/m/a/b/model.onnx"]
)
def test_a_file_copied_there_by_hand_is_an_upload_too(store: Store, key: str) -> None:
    upload = upload_of(store, key)
    assert (upload.model, upload.key, upload.alias) == ("m", key, "prod")
    assert upload == upload_of(store, key)
    assert upload.token != upload_of(store, key + "2").token


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("incoming/m", "'incoming/m' is no upload: put files at incoming/MODEL/FILE.onnx"),
        ("incoming/m/", "'incoming/m/' is no upload: put files at incoming/MODEL/FILE.onnx"),
        ("models/m/x.onnx", "'models/m/x.onnx' is no upload: put files at incoming/MODEL/FILE.onnx"),
        ("incoming/M/x.onnx", "'M' cannot name a model: "),
        ("incoming/../x.onnx", "'..' cannot name a model: "),
    ],
)
def test_a_key_elsewhere_is_no_upload(store: Store, key: str, message: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        upload_of(store, key)
    assert str(caught.value).startswith(message)


def test_the_states_of_an_upload(store: Store) -> None:
    upload = new_upload(store, "m", "a.onnx", "dev")

    def state() -> dict[str, object]:
        answer = state_of(store, upload.id)
        assert (answer.pop("id"), answer.pop("model")) == (upload.id, "m")
        return answer

    assert state() == {"state": "waiting"}
    store.overwrite(upload.key, b"onnx")
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    old = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - ATTEMPT_SECONDS - 5))
    silent = {"state": "failed", "reason": SILENT_END}
    assert state() == {"state": "received"}
    for stored, seen in [
        ({"state": "checking"}, {"state": "checking"}),
        ({"state": "registering", "manifest": {}}, {"state": "checking"}),
        ({"state": "checking", "at": now, "tries": 3}, {"state": "checking"}),
        ({"state": "checking", "at": old, "tries": 2}, silent | {"tries": 2, "again": True}),
        ({"state": "registering", "at": old, "tries": 3}, silent | {"tries": 3, "again": False}),
        (
            {"state": "checking", "at": now, "tries": 3, "error": "no right"},
            {"state": "failed", "reason": "no right", "tries": 3, "again": False},
        ),
        ({"state": "ready", "version": 3}, {"state": "ready", "version": 3, "alias": "dev"}),
        ({"state": "rejected", "reason": "no ONNX"}, {"state": "rejected", "reason": "no ONNX"}),
    ]:
        store.overwrite(upload.progress_key, json.dumps(stored).encode())
        assert state() == seen


@pytest.mark.parametrize(
    "upload_id",
    ["", ".", "m", "m.", "m.nothing", "M.x", "m./../x", "m.../../keys", "../m.x", "m.a/b", "m.\x00"],
)
def test_an_unknown_upload_is_not_found(store: Store, upload_id: str) -> None:
    new_upload(store, "m", "a.onnx")
    with pytest.raises(NotFound) as caught:
        state_of(store, upload_id)
    assert str(caught.value) == f"there is no upload {upload_id!r}"


MISMATCH = "the upload URL's signature does not match; ask for a new one with POST /uploads"


def test_a_signed_upload_url() -> None:
    url = sign_upload("secret", KEY, 2000)
    path, _, query = url.partition("?")
    assert path == f"/uploads/files/{KEY}"
    expires, signature = (pair.partition("=")[2] for pair in query.split("&"))
    assert (expires, len(signature)) == ("2000", 64)
    verify_upload("secret", KEY, expires, signature, now=1999.9)
    with pytest.raises(
        Forbidden, match=r"^the upload URL has expired; ask for a new one with POST /uploads$"
    ):
        verify_upload("secret", KEY, expires, signature, now=2000)


@pytest.mark.parametrize(
    ("secret", "key", "expires", "signature"),
    [
        ("other", KEY, "2000", None),
        ("", KEY, "2000", None),
        ("secret", KEY + "x", "2000", None),
        ("secret", KEY, "2001", None),
        ("secret", KEY, "", None),
        ("secret", KEY, "-1", None),
        ("secret", KEY, "²", None),
        ("secret", KEY, "9" * 5000, None),
        ("secret", KEY, "2000", ""),
        ("secret", KEY, "2000", "0" * 64),
        ("secret", KEY, "2000", "ä"),
        ("secret", KEY, "2000", "\ud800"),
    ],
)
def test_a_forged_upload_url_is_refused(secret: str, key: str, expires: str, signature: str | None) -> None:
    good = sign_upload("secret", KEY, 2000).rpartition("=")[2]
    with pytest.raises(Forbidden) as caught:
        verify_upload(secret, key, expires, good if signature is None else signature, now=1000)
    assert str(caught.value) == MISMATCH


def test_without_a_secret_nothing_is_signed_well() -> None:
    signature = sign_upload("", KEY, 2000).rpartition("=")[2]
    with pytest.raises(Forbidden) as caught:
        verify_upload("", KEY, "2000", signature, now=1000)
    assert str(caught.value) == MISMATCH

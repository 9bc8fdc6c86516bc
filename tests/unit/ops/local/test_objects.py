"""The folder as S3 would list it."""

import os
from pathlib import Path

import pytest

from coldpress.store import Store
from coldpress_ops.local.objects import find


def put(folder: Path, key: str, data: bytes = b"x") -> None:
    path = folder / key
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data)


def test_prefix_suffix_and_temporary_names(tmp_path: Path) -> None:
    for key in (
        "incoming/m/t/a b.onnx",
        "incoming/top.onnx",
        "incoming/m/t/upload.json",
        "incoming/m/t/c.onnx#1",
        "incoming-not/m/a.onnx",
        "models/m/a.onnx",
    ):
        put(tmp_path, key)
    assert {o.key for o in find(tmp_path, "incoming/", ".onnx")} == {
        "incoming/m/t/a b.onnx",
        "incoming/top.onnx",
    }
    # A prefix is text, not a folder.
    assert {o.key for o in find(tmp_path, "incoming/m", "")} == {
        "incoming/m/t/a b.onnx",
        "incoming/m/t/upload.json",
    }
    assert {o.key for o in find(tmp_path, "inc", "a.onnx")} == {"incoming-not/m/a.onnx"}
    assert list(find(tmp_path, "nowhere/", "")) == []


def test_same_etag_and_size_as_the_store(tmp_path: Path) -> None:
    store = Store(f"file://{tmp_path}")
    store.create("incoming/m/a.onnx", b"12345")
    [found] = find(tmp_path, "incoming/", ".onnx")
    stored = store.head("incoming/m/a.onnx")
    assert (found.key, found.size, found.etag) == (stored.key, stored.size, stored.etag.strip('"'))
    assert found.modified / 1e9 == pytest.approx(stored.modified, abs=1e-3)


def test_one_impossible_name_does_not_hide_the_others(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    put(tmp_path, "incoming/good.onnx")
    put(tmp_path, "incoming/line\nbreak.onnx")
    (tmp_path / "incoming" / os.fsdecode(b"latin\xe4.onnx")).write_bytes(b"x")
    (tmp_path / "incoming" / "dangling.onnx").symlink_to("nowhere")
    for _ in range(2):
        assert [o.key for o in find(tmp_path, "incoming/", ".onnx")] == ["incoming/good.onnx"]
    assert caplog.text.count("cannot be an object key") == 2

"""Checkpoints in a folder: what counts after whatever goes wrong."""

import json
from pathlib import Path
from typing import Any

import pytest

from coldpress.errors import Unavailable
from coldpress.store import Store
from coldpress_build import checkpoints as module
from coldpress_build.checkpoints import Checkpoints
from coldpress_build.errors import BuildError


@pytest.fixture
def url(tmp_path: Path) -> str:
    return f"file://{tmp_path}"


def objects(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.rglob("*") if path.is_file() and path.suffix != ".lock#0")


def test_the_latest_counts_and_two_are_kept(url: str, tmp_path: Path) -> None:
    writer = Checkpoints(url, "runs/a/checkpoints")
    assert writer.latest() is None
    for step in (1, 2, 3):
        writer.save(step, f"state {step}".encode())
    assert Checkpoints(url, "runs/a/checkpoints").latest() == b"state 3"
    kept = [name[:9] for name in objects(tmp_path / "runs" / "a" / "checkpoints")]
    assert kept == ["000000002", "000000003", "latest.js"]


def test_parts_are_apart_and_go_together(url: str, tmp_path: Path) -> None:
    both = Checkpoints(url, "fit")
    for name in ("one", "two"):
        both.within(name).save(1, name.encode())
    both.save(9, b"above")
    assert both.names() == ["one", "two"]
    assert [both.within(name).latest() for name in both.names()] == [b"one", b"two"]
    both.remove()
    assert not (tmp_path / "fit").exists()
    assert both.names() == []


def test_a_checkpoint_that_is_damaged_or_gone_leaves_the_one_before(url: str, tmp_path: Path) -> None:
    writer = Checkpoints(url, "fit")
    writer.save(1, b"first")
    writer.save(2, b"second")
    (newest,) = (tmp_path / "fit").glob("000000002-*")
    newest.write_bytes(b"sec")
    assert Checkpoints(url, "fit").latest() == b"first"
    newest.unlink()
    assert Checkpoints(url, "fit").latest() == b"first"
    (oldest,) = (tmp_path / "fit").glob("000000001-*")
    oldest.unlink()
    with pytest.raises(
        BuildError, match=r"steps 2, 1 in file://.*/fit are missing or damaged; start from the"
    ):
        Checkpoints(url, "fit").latest()


@pytest.mark.parametrize(
    "content",
    ["", '{"check', "[]", "{}", '{"checkpoints": 3}', '{"checkpoints": [3]}',
     '{"checkpoints": [{"step": 1}]}', '{"checkpoints": [{"step": null, "key": "fit/1", "sha256": "0"}]}',
     "\xff"],
)  # fmt: skip
def test_a_damaged_pointer_is_named_and_may_be_replaced(url: str, tmp_path: Path, content: str) -> None:
    Checkpoints(url, "fit").save(1, b"first")
    (tmp_path / "fit" / "latest.json").write_bytes(content.encode("latin-1"))
    for asked in (
        lambda: Checkpoints(url, "fit").latest(),
        lambda: Checkpoints(url, "fit").save(2, b"second"),
    ):
        with pytest.raises(
            BuildError, match=r"file://.*/fit/latest\.json is damaged.*without --resume, or with"
        ):
            asked()
    fresh = Checkpoints(url, "fit", resume=False)
    assert fresh.latest() is None
    fresh.save(1, b"again")
    assert Checkpoints(url, "fit").latest() == b"again"


def test_killed_between_object_and_pointer_the_one_before_counts(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """Nothing after it happens."""

    def killed(*_: Any) -> None:
        raise Killed

    Checkpoints(url, "fit").save(1, b"first")
    with monkeypatch.context() as patch:
        patch.setattr(Checkpoints, "_point", killed)
        with pytest.raises(Killed):
            Checkpoints(url, "fit").save(2, b"second")
    after = Checkpoints(url, "fit")
    assert after.latest() == b"first"
    assert len(objects(tmp_path / "fit")) == 3
    after.save(2, b"second, again")
    # What nothing pointed to is gone.
    assert len(objects(tmp_path / "fit")) == 3
    assert Checkpoints(url, "fit").latest() == b"second, again"


def test_without_resume_nothing_counts_and_the_first_save_replaces_it(url: str) -> None:
    Checkpoints(url, "fit").save(7, b"of yesterday")
    fresh = Checkpoints(url, "fit", resume=False)
    assert fresh.latest() is None
    assert Checkpoints(url, "fit").latest() == b"of yesterday"
    fresh.save(1, b"of today")
    assert fresh.latest() == b"of today"
    kept = json.loads(Store(url).get("fit/latest.json").data)["checkpoints"]
    assert [entry["step"] for entry in kept] == [1]


def test_two_writers_are_told(url: str) -> None:
    one, other = Checkpoints(url, "fit"), Checkpoints(url, "fit")
    assert one.latest() is other.latest() is None
    one.save(1, b"one")
    with pytest.raises(
        BuildError, match=r"another process writes checkpoints to file://.*/fit; stop it, or give"
    ):
        other.save(1, b"other")
    assert Checkpoints(url, "fit").latest() == b"one"
    one.save(2, b"one, again")
    assert Checkpoints(url, "fit").latest() == b"one, again"


def test_an_answer_that_got_lost_is_no_other_writer(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    writer = Checkpoints(url, "fit")
    writer.save(1, b"first")
    replace = Store.replace
    lost = [True]

    def replaced(store: Store, key: str, data: bytes, etag: str) -> str:
        written = replace(store, key, data, etag)
        if lost and lost.pop():
            raise Unavailable("the answer was lost")
        return written

    monkeypatch.setattr(Store, "replace", replaced)
    writer.save(2, b"second")
    writer.save(3, b"third")
    assert Checkpoints(url, "fit").latest() == b"third"


def test_a_store_that_stays_away_ends_it_and_the_last_one_stays(
    url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    writer = Checkpoints(url, "fit")
    writer.save(1, b"first")
    tries: list[str] = []

    def away(_: Store, key: str, _path: str) -> None:
        tries.append(key)
        raise Unavailable("object storage failed: no space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(module, "RETRY_SECONDS", 0.5)
        patch.setattr(Store, "upload", away)
        with pytest.raises(Unavailable, match="no space left"):
            writer.save(2, b"second")
    assert len(tries) > 1
    assert Checkpoints(url, "fit").latest() == b"first"
    writer.save(2, b"second")
    assert Checkpoints(url, "fit").latest() == b"second"


def test_a_place_is_a_folder_or_a_url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    here = Checkpoints.at("kept", resume=True)
    assert here.where == f"file://{tmp_path}/kept"
    assert not (tmp_path / "kept").exists()
    assert Checkpoints.at("s3://bucket/there", resume=True).where == "s3://bucket/there"

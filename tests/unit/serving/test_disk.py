"""The disk as a cache of large models: by hash, within its bytes, the one used longest ago first to go."""

import os
from pathlib import Path

import pytest

from coldpress.disk import FOLDER, Disk
from coldpress.external import NAME

KIB = 1 << 10


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path / FOLDER


def put(disk: Disk, name: str, size: int, at: float) -> None:
    path = disk.room(size)
    assert path.endswith(f"/{NAME}")
    Path(path).write_bytes(bytes(size))
    disk.keep(path, name)
    os.utime(Path(path).parents[1] / name, (at, at))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_found_by_its_hash_and_size(folder: Path) -> None:
    disk = Disk(0)
    assert disk.find("a", KIB) == ""
    put(disk, "a", KIB, at=1)
    assert Path(disk.find("a", KIB)).read_bytes() == bytes(KIB)
    assert disk.find("a", KIB + 1) == ""
    assert Disk(0).find("a", KIB) == str(folder / "a" / NAME)  # another process finds it too


def test_the_one_used_longest_ago_goes_first(folder: Path) -> None:
    disk = Disk(3 * KIB)
    for at, name in enumerate("abc", 1):
        put(disk, name, KIB, at)
    assert disk.find("a", KIB)  # now b is
    put(disk, "d", KIB, at=4)
    assert names(folder) == ["a", "c", "d"]
    put(disk, "e", 2 * KIB, at=5)
    assert names(folder) == ["a", "e"]


@pytest.mark.usefixtures("folder")
def test_what_can_never_fit_is_refused() -> None:
    assert Disk(KIB).room(KIB + 1) == ""
    assert Disk(0).room(1 << 60) == ""


def test_what_a_killed_process_left_goes_too(folder: Path) -> None:
    disk = Disk(2 * KIB)
    Path(disk.room(2 * KIB)).write_bytes(bytes(2 * KIB))
    put(disk, "a", 2 * KIB, at=1)
    assert names(folder) == ["a"]


def test_the_same_file_twice_is_kept_once(folder: Path) -> None:
    disk = Disk(0)
    put(disk, "a", KIB, at=1)
    put(disk, "a", KIB, at=1)
    assert names(folder) == ["a"]


def test_a_dropped_file_is_gone(folder: Path) -> None:
    disk = Disk(0)
    put(disk, "a", KIB, at=1)
    disk.drop(disk.find("a", KIB))
    assert names(folder) == []


def test_a_folder_that_others_may_write_to_is_not_used(folder: Path) -> None:
    disk = Disk(0)
    put(disk, "a", KIB, at=1)
    folder.chmod(0o777)
    assert disk.find("a", KIB) == ""
    assert disk.room(KIB) == ""


def test_without_a_disk_nothing_is_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", "/proc/nowhere")
    assert Disk(0).find("a", KIB) == ""
    assert Disk(0).room(KIB) == ""

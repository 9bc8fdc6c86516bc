"""The disk as a cache of large models: by hash, within its bytes, the one used longest ago first to go."""

import os
import subprocess
import sys
from collections.abc import Callable
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


KILLED = (
    "import os; from coldpress.disk import Disk; print(Disk(0).room(0), flush=True); os.kill(os.getpid(), 9)"
)
"""A process that ends in the middle of a download."""


def test_what_a_killed_process_left_goes_too(folder: Path) -> None:
    done = subprocess.run([sys.executable, "-c", KILLED], stdout=subprocess.PIPE, text=True, check=False)
    Path(done.stdout.strip()).write_bytes(bytes(2 * KIB))
    put(Disk(2 * KIB), "a", 2 * KIB, at=1)
    assert names(folder) == ["a"]


def test_what_a_killed_process_with_our_number_left_goes_too(folder: Path) -> None:
    # In a fresh container every first process has the same number.
    disk = Disk(2 * KIB)
    put(disk, "a", KIB, at=1)
    left = folder / f"new-{os.getpid()}-0123456789abcdef"
    left.mkdir()
    (left / NAME).write_bytes(bytes(KIB))
    put(disk, "b", 2 * KIB, at=2)
    assert names(folder) == ["b"]


@pytest.mark.parametrize("whose", [os.getpid, os.getppid])
def test_what_still_comes_in_is_not_for_others_to_remove(
    folder: Path, whose: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    disk = Disk(3 * KIB)
    with monkeypatch.context() as patch:
        patch.setattr(os, "getpid", whose)
        coming = Path(disk.room(2 * KIB))
    coming.write_bytes(bytes(2 * KIB))
    put(disk, "a", KIB, at=1)
    put(disk, "b", KIB, at=2)
    assert disk.room(2 * KIB) == ""
    assert names(folder) == [coming.parent.name]
    os.utime(coming.parent, (1, 1))
    assert bool(disk.room(2 * KIB)) == (whose is os.getppid)  # nothing takes so long
    disk.drop(str(coming))
    assert disk.room(2 * KIB)


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

"""Data by pinned hash, with the real pip and a folder as its package index."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from coldpress_build.cache import Download, cache_folder, fetch
from coldpress_build.errors import DataError

SETUP = b"from setuptools import setup\nsetup(name='tinydata', version='1.0', py_modules=[])\n"
FILENAME = "tinydata-1.0.tar.gz"


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that pip takes packages from, and nowhere else; `tinydata` 1.0 is in it."""
    folder = tmp_path / "index"
    folder.mkdir()
    with tarfile.open(folder / FILENAME, "w:gz") as archive:
        metadata = b"Metadata-Version: 2.1\nName: tinydata\nVersion: 1.0\n"
        for name, content in {"setup.py": SETUP, "PKG-INFO": metadata, "data.txt": b"rows"}.items():
            entry = tarfile.TarInfo(f"tinydata-1.0/{name}")
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def source(index: Path) -> Download:
    return Download("tinydata", "1.0", FILENAME, _sha256(index / FILENAME))


def _sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_downloads_once_then_needs_no_index(index: Path, source: Download, tmp_path: Path) -> None:
    path = fetch(source, tmp_path / "cache")
    assert path == tmp_path / "cache" / "downloads" / FILENAME
    (index / FILENAME).unlink()
    assert fetch(source, tmp_path / "cache") == path
    assert sorted(entry.name for entry in path.parent.iterdir()) == [FILENAME]


def test_a_cached_file_is_taken_without_asking_pip(
    source: Download, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = fetch(source, tmp_path)
    monkeypatch.setattr("sys.executable", "/nowhere/python")
    assert fetch(source, tmp_path) == path


def test_a_damaged_file_is_fetched_again(source: Download, tmp_path: Path) -> None:
    path = fetch(source, tmp_path)
    path.write_bytes(b"damaged")
    assert _sha256(fetch(source, tmp_path)) == source.sha256


@pytest.mark.usefixtures("index")
def test_another_file_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    other = Download("tinydata", "1.0", FILENAME, "0" * 64)
    with pytest.raises(DataError, match=r"THESE PACKAGES DO NOT MATCH|[Hh]ash"):
        fetch(other, tmp_path)
    assert not (tmp_path / "downloads" / FILENAME).exists()


def test_without_an_index_the_error_says_what_is_needed_and_where(
    source: Download, index: Path, tmp_path: Path
) -> None:
    (index / FILENAME).unlink()
    with pytest.raises(DataError) as caught:
        fetch(source, tmp_path)
    message = str(caught.value)
    for part in (
        "tinydata 1.0",
        FILENAME,
        source.sha256,
        f"put a copy of the file at {tmp_path}/downloads/{FILENAME}",
    ):
        assert part in message


def test_the_folder_can_be_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("COLDPRESS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("COLDPRESS_CACHE")
    monkeypatch.setenv("HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/.cache/coldpress")

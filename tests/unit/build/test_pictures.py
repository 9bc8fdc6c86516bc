"""Pictures from everything that may hold them."""

import gzip
import io
import pickle
import struct
import tarfile
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coldpress.protocols.pictures import decode
from coldpress.registry import TensorInfo
from coldpress.settings import Settings
from coldpress_build.data.pictures import CIFAR, digits, read_pictures
from coldpress_build.errors import DataError

RANDOM = np.random.default_rng(0)


def folder(path: Path, *files: tuple[str, int, str]) -> Path:
    """Files by (name, pixels a side, mode), each of one colour: its number times 10."""
    for number, (name, size, mode) in enumerate(files, 1):
        (path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new(mode, (size, size), number * 10 if mode == "L" else (number * 10, 0, 0)).save(path / name)
    return path


def test_a_folder_for_each_class(tmp_path: Path) -> None:
    path = folder(tmp_path / "pets", ("dog/1.png", 9, "RGB"), ("cat/a.PNG", 9, "L"), ("cat/b.png", 9, "RGBA"))
    (path / "cat" / "notes.txt").write_text("no picture")
    data = read_pictures(path, 0)
    assert (data.name, data.classes, data.target.tolist()) == ("pets", ("cat", "dog"), [0, 0, 1])
    images = data.columns["image"]
    assert (images.dtype, images.shape) == (np.uint8, (3, 9, 9, 3))
    assert images[:, 0, 0].tolist() == [[20, 20, 20], [30, 0, 0], [10, 0, 0]]


def test_one_size_for_all(tmp_path: Path) -> None:
    path = folder(tmp_path / "pets", ("dog/1.png", 9, "L"), ("cat/a.png", 12, "L"))
    with pytest.raises(DataError, match=r"2 different sizes.*--set size=64"):
        read_pictures(path, 0)
    assert read_pictures(path, 16).columns["image"].shape == (2, 16, 16, 1)


def test_gray_of_16_bits_is_read_as_it_is_served(tmp_path: Path) -> None:
    path = folder(tmp_path / "pets", ("dog/1.png", 256, "L"))
    shades = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    (path / "cat").mkdir()
    Image.fromarray(shades).save(path / "cat" / "1.png")
    images = read_pictures(path, 0).columns["image"]
    assert images.shape == (2, 256, 256, 1)
    assert (images[0, ..., 0] == np.round(shades / 257)).all()
    served = decode((path / "cat" / "1.png").read_bytes(), TensorInfo("x", "UINT8", (-1, -1, 1)), Settings())
    assert bytes(served.data) == images[0].tobytes()


@pytest.mark.parametrize("form", ["python", "binary"])
def test_the_cifar_archive(tmp_path: Path, form: str) -> None:
    path = tmp_path / "cifar-10.tar.gz"
    rows = RANDOM.integers(0, 256, (4, 3072), np.uint8)
    labels = [3, 5, 3, 9]
    with tarfile.open(path, "w:gz") as archive:
        if form == "binary":
            content = b"".join(
                bytes([label]) + row.tobytes() for label, row in zip(labels, rows, strict=True)
            )
            name = "data_batch_1.bin"
        else:
            content, name = pickle.dumps({b"labels": labels, b"data": rows}, 2), "data_batch_1"
        member = tarfile.TarInfo(f"cifar-10/{name}")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    data = read_pictures(path, 0, ("cat", "dog"))
    assert (data.classes, data.target.tolist()) == (("cat", "dog"), [0, 1, 0])
    assert data.columns["image"][0, 1, 2].tolist() == rows[0].reshape(3, 32, 32)[:, 1, 2].tolist()
    assert data.notes == ("of 4 pictures, those of cat, dog",)
    with pytest.raises(DataError, match=f"no class 'tiger'; it has {', '.join(CIFAR)}"):
        read_pictures(path, 0, ("tiger",))


class Evil:
    def __reduce__(self) -> Any:
        return print, ("run",)


def test_a_pickle_that_would_run_something_is_refused(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "cifar-10.tar.gz"
    content = pickle.dumps(Evil())
    with tarfile.open(path, "w:gz") as archive:
        member = tarfile.TarInfo("data_batch_1")
        member.size = len(content)
        archive.addfile(member, io.BytesIO(content))
    with pytest.raises(DataError, match=r"it asks for builtins\.print"):
        read_pictures(path, 0)
    assert capsys.readouterr().out == ""


def test_mnists_files(tmp_path: Path) -> None:
    images, labels = RANDOM.integers(0, 256, (3, 5, 5), np.uint8), np.array([7, 1, 7], np.uint8)
    for name, array in (("t-images-idx3-ubyte.gz", images), ("t-labels-idx1-ubyte.gz", labels)):
        head = struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape)
        (tmp_path / name).write_bytes(gzip.compress(head + array.tobytes()))
    data = read_pictures(tmp_path, 0)
    assert (data.classes, data.target.tolist()) == (("1", "7"), [1, 0, 1])
    assert (data.columns["image"][..., 0] == images).all()


def test_an_npz(tmp_path: Path) -> None:
    images = RANDOM.integers(0, 256, (3, 6, 6, 3), np.uint8)
    np.savez(tmp_path / "x.npz", image=images, label=np.array(["b", "a", "b"]))
    data = read_pictures(tmp_path / "x.npz", 0)
    assert (data.classes, data.target.tolist()) == (("a", "b"), [1, 0, 1])
    assert (data.columns["image"] == images).all()
    np.savez(tmp_path / "x.npz", image=images, target=np.array([b"b", b"a", b"b"]))
    assert read_pictures(tmp_path / "x.npz", 0).classes == ("a", "b")


def test_the_digits() -> None:
    data = digits()
    assert data.columns["image"].shape == (1797, 8, 8, 1)
    assert (data.columns["image"].min(), data.columns["image"].max()) == (0, 255)
    fewer = digits(16, ("3", "8"))
    assert (fewer.classes, fewer.columns["image"].shape[1:]) == (("3", "8"), (16, 16, 1))


def broken_png(path: Path) -> None:
    (path / "a").mkdir(parents=True)
    (path / "a" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n nonsense")


def png(path: Path, *chunks: tuple[bytes, bytes]) -> None:
    """The file a/1.png of these chunks, by kind and content."""
    (path / "a").mkdir(parents=True)
    parts = [
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in chunks
    ]
    (path / "a" / "1.png").write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))


def huge(path: Path) -> None:
    png(path, (b"IHDR", struct.pack(">IIBBBBB", 30_000, 30_000, 8, 0, 0, 0, 0)), (b"IDAT", b""))


def damaged(path: Path) -> None:
    png(path, (b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 0, 0, 0, 0)), (b"IDAT", b""), (b"\0\0\0\0", b""))


def tiny(path: Path) -> None:
    np.savez(path.with_suffix(".npz"), image=np.zeros((2, 1, 1), np.uint8), label=np.array(["a", "b"]))


def floats(path: Path) -> None:
    np.savez(path.with_suffix(".npz"), image=np.zeros((2, 4, 4), np.float32), label=np.array(["a", "b"]))


def oblong(path: Path) -> None:
    np.savez(path.with_suffix(".npz"), image=np.zeros((2, 4, 5), np.uint8), label=np.array(["a", "b"]))


@pytest.mark.parametrize(
    ("make", "name", "words"),
    [
        (lambda path: path.mkdir(), "x", "has no pictures; a folder for each class"),
        (broken_png, "x", "1.png is no picture that can be read"),
        (huge, "x", r"1.png: .*900000000 pixels.*; at most 64,000,000 pixels are read"),
        (damaged, "x", "1.png is no picture that can be read: broken PNG file"),
        (tiny, "x.npz", "pictures of 1 x 1 pixels; 4 a side are the least .*--set size=8"),
        (floats, "x.npz", "'image' is float32"),
        (oblong, "x.npz", "pictures of 5 x 4 pixels; say how many"),
        (
            lambda path: path.with_suffix(".tar.gz").write_bytes(b"no"),
            "x.tar.gz",
            "is no archive of CIFAR-10",
        ),
    ],
)
def test_what_holds_no_pictures_is_refused(tmp_path: Path, make: Any, name: str, words: str) -> None:
    make(tmp_path / "x")
    with pytest.raises(DataError, match=words):
        read_pictures(tmp_path / name, 0)

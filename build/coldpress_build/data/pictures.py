"""Pictures with a class each: a folder of folders, an .npz, MNIST's files, or the CIFAR-10 archive."""

import gzip
import io
import pickle
import tarfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from coldpress.protocols.pictures import eight_bits
from coldpress_build.data.dataset import Array, Dataset
from coldpress_build.data.sources import target_of
from coldpress_build.data.tables import column, read_table
from coldpress_build.errors import DataError

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp")
CIFAR = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")
MAX_PIXELS = 64_000_000
"""Of one picture: a small file can hold one that fills the memory."""
LEAST = 4
"""Pixels a side: both convolutions are followed by a pooling of 2 x 2."""
SET_SIZE = "say how many pixels a side they are to be made: --set size=64"


def read_pictures(path: Path, size: int, classes: Sequence[str] = (), target: str = "") -> Dataset:
    """The pictures in `path`, as uint8 [rows, size, size, channels] in the column `image`; size 0: their own.

    A folder holds a folder of .jpg or .png files for each class, named after it; or MNIST's files
    (`*-images-idx3-ubyte.gz`, `*-labels-idx1-ubyte.gz`), whose classes are numbers. An `.npz` has `image`,
    uint8 [rows, height, width] or [rows, height, width, channels], and a column `target` (empty: `label` or
    `target`). A `.tar.gz` is CIFAR-10's archive for Python or in binary form. `classes`: use those only.

    Raises:
        DataError: nothing of all that, a file that is no picture, or a class that is not there; pictures of
            several sizes, or higher than wide, and `size` is 0.
    """
    if path.is_dir():
        names, labels, images = _folder(path, size)
    elif path.name.endswith((".tar.gz", ".tgz")):
        names, labels, images = _cifar(path)
    else:
        names, labels, images = _table(path, target)
    return _shaped(path.name.partition(".")[0], (names, labels, images), size, classes)


def digits(size: int = 0, classes: Sequence[str] = ()) -> Dataset:
    """scikit-learn's 1,797 handwritten digits of 8 x 8 pixels. `size`, `classes`: see `read_pictures`."""
    from sklearn.datasets import load_digits

    found: Any = load_digits()
    # 17 shades of gray, as bytes.
    images = np.round(found.images * (255 / 16)).astype(np.uint8)[..., None]
    return _shaped("digits", _named(found.target, images), size, classes)


def resized(picture: Image.Image, size: int) -> Array:
    """A picture as uint8 [size, size, channels]; size 0: as large as it is. Gray stays one channel, anything
    else is red, green, blue."""
    picture = eight_bits(picture)
    picture = picture if picture.mode == "L" else picture.convert("RGB")
    if size and picture.size != (size, size):
        picture = picture.resize((size, size), Image.Resampling.BILINEAR)
    pixels = np.asarray(picture, np.uint8)
    return pixels[..., None] if pixels.ndim == 2 else pixels


def _shaped(name: str, found: "Found", size: int, classes: Sequence[str]) -> Dataset:
    names, labels, images = found
    unknown = sorted(set(classes) - set(names))
    if unknown:
        raise DataError(f"{name} has no class {unknown[0]!r}; it has {', '.join(names)}")
    notes = []
    if classes:
        kept = np.isin(labels, [names.index(name) for name in classes])
        images, labels = images[kept], labels[kept]
        notes.append(f"of {len(kept):,} pictures, those of {', '.join(classes)}")
    if not len(images):
        raise DataError(f"{name} has no pictures")
    if not size and images.shape[1] != images.shape[2]:
        raise DataError(f"{name}: pictures of {images.shape[2]} x {images.shape[1]} pixels; {SET_SIZE}")
    if images.shape[1] < LEAST and not size:
        side = images.shape[1]
        raise DataError(
            f"{name}: pictures of {side} x {side} pixels; {LEAST} a side are the least that the network can "
            "halve twice; have them enlarged: --set size=8"
        )
    if size and images.shape[1:3] != (size, size):
        notes.append(f"{images.shape[2]} x {images.shape[1]} pixels made {size} x {size}")
        images = np.stack([resized(Image.fromarray(image.squeeze()), size) for image in images])
    return Dataset.labelled(name, {"image": images}, [names[label] for label in labels], notes)


Found = tuple[list[str], Array, Array]
"""Class names; for each picture the index of its class; the pictures."""


def _folder(path: Path, size: int) -> Found:
    if any(path.rglob("*-idx3-ubyte*")):
        return _mnist(path)
    names = sorted(folder.name for folder in path.iterdir() if folder.is_dir())
    labels: list[int] = []
    images: list[Array] = []
    for number, name in enumerate(names):
        for file in sorted(path.joinpath(name).iterdir()):
            if file.suffix.lower() in ENDINGS:
                labels.append(number)
                images.append(_opened(file, size))
    if not images:
        raise DataError(
            f"{path} has no pictures; a folder for each class, with {', '.join(ENDINGS)} files, was expected"
        )
    shapes = {image.shape[:2] for image in images}
    if len(shapes) > 1:
        raise DataError(f"{path}: the pictures have {len(shapes):,} different sizes; {SET_SIZE}")
    # One of a colour makes all of them so: a network takes one number of channels.
    channels = max(image.shape[2] for image in images)
    height, width = shapes.pop()
    return names, np.array(labels), np.stack([np.broadcast_to(i, (height, width, channels)) for i in images])


def _opened(file: Path, size: int) -> Array:
    try:
        with Image.open(file) as picture:
            pixels = picture.width * picture.height
            if pixels <= MAX_PIXELS:
                # As a viewer shows it, and as the predict function will read it.
                return resized(ImageOps.exif_transpose(picture), size)
    except Image.DecompressionBombError as error:  # by Pillow's limit, before ours has its turn
        raise DataError(f"{file}: {error}; at most {MAX_PIXELS:,} pixels are read") from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise DataError(f"{file} is no picture that can be read: {error}") from error
    raise DataError(f"{file} has {pixels:,} pixels; at most {MAX_PIXELS:,} are read")


def _table(path: Path, target: str) -> Found:
    table = read_table(path)
    images = column(table, "image", path, "the pictures")
    if images.dtype != np.uint8 or images.ndim not in (3, 4):
        raise DataError(
            f"{path}: 'image' is {images.dtype} {list(images.shape)}; uint8 [rows, height, width, channels] "
            "was expected"
        )
    return _named(table[target_of(table, target, path)], images)


def _named(labels: Array, images: Array) -> Found:
    names = sorted({str(label) for label in labels.tolist()})
    places = {name: place for place, name in enumerate(names)}
    images = images if images.ndim == 4 else images[..., None]
    return names, np.array([places[str(label)] for label in labels.tolist()]), images


def _mnist(path: Path) -> Found:
    parts = []
    for file in sorted(path.rglob("*-images-idx3-ubyte*")):
        beside = file.with_name(file.name.replace("-images-idx3-", "-labels-idx1-"))
        parts.append((_idx(beside), _idx(file)))
    labels, images = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return _named(labels, images)


def _idx(path: Path) -> Array:
    """An array of bytes: two zeros, its type and number of dimensions in a byte each, each dimension in four,
    big-endian, then the content (http://yann.lecun.com/exdb/mnist)."""
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        dimensions = data[3] if data[:3] == b"\0\0\x08" else 0
        shape = np.frombuffer(data, ">u4", dimensions, 4)
        return np.frombuffer(data, np.uint8, offset=4 + 4 * dimensions).reshape(shape)
    except (OSError, EOFError, ValueError) as error:
        raise DataError(f"{path} is none of MNIST's files: {error}") from error


def _cifar(path: Path) -> Found:
    try:
        with tarfile.open(path) as archive:
            labels, rows = zip(*_cifar_batches(archive), strict=True)
    except (OSError, EOFError, tarfile.TarError, pickle.UnpicklingError, KeyError, ValueError) as error:
        raise DataError(f"{path} is no archive of CIFAR-10: {error}") from error
    images = np.concatenate(rows).reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1)
    return list(CIFAR), np.concatenate(labels).astype(np.int64), np.ascontiguousarray(images)


def _cifar_batches(archive: tarfile.TarFile) -> Iterator[tuple[Array, Array]]:
    """Classes and pixels (red, green and blue plane) of each of the archive's files, by their names."""
    for member in sorted(archive.getmembers(), key=lambda one: one.name):
        name = Path(member.name).name
        if not name.startswith(("data_batch", "test_batch")):
            continue
        file = archive.extractfile(member)
        data = file.read() if file else b""
        if name.endswith(".bin"):
            rows = np.frombuffer(data, np.uint8).reshape(-1, 3073)
            yield rows[:, 0], rows[:, 1:]
        else:
            found = _Harmless(io.BytesIO(data), encoding="bytes").load()
            yield np.array(found[b"labels"], np.uint8), found[b"data"]


class _Harmless(pickle.Unpickler):
    """Reads numpy arrays and plain values; a pickle that wants anything else could run anything."""

    def find_class(self, module: str, name: str) -> Any:
        """See `pickle.Unpickler`."""
        home = module.replace("numpy.core.", "numpy._core.")
        known = {("numpy._core.multiarray", "_reconstruct"), ("numpy", "ndarray"), ("numpy", "dtype")}
        if (home, name) not in known and (module, name) != ("_codecs", "encode"):
            raise pickle.UnpicklingError(f"it asks for {module}.{name}, which no array needs")
        return super().find_class(home, name)

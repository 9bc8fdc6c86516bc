"""A hash that follows its parts: right in whatever order they come, and it ends if they do not."""

import hashlib
import random
from pathlib import Path

import pytest

from coldpress.errors import Internal, NotFound
from coldpress.following import STEP_BYTES, Following, of_file

PART = 3 * STEP_BYTES


@pytest.mark.parametrize("size", [1, PART - 1, PART, PART + 1, 5 * PART + 12345])
def test_parts_in_any_order(size: int) -> None:
    data = random.Random(size).randbytes(size)  # noqa: S311
    here = bytearray(size)
    following = Following(size, PART, lambda start, end: memoryview(here)[start:end])
    starts = list(range(0, size, PART))
    random.Random(1).shuffle(starts)  # noqa: S311
    for start in starts:
        here[start : start + PART] = data[start : start + PART]
        following.arrived(start)
    assert following.result() == hashlib.sha256(data).hexdigest()


def test_an_abandoned_one_ends() -> None:
    following = Following(2 * PART, PART, lambda start, end: bytes(end - start))
    following.arrived(0)
    following.abandon()
    assert following.result() != hashlib.sha256(bytes(2 * PART)).hexdigest()


def test_a_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(random.Random(1).randbytes(PART + 7))  # noqa: S311
    assert of_file(str(path), PART + 7).result() == hashlib.sha256(path.read_bytes()).hexdigest()
    with pytest.raises(Internal, match=r"another size than its manifest says \(8 bytes\)"):
        of_file(str(path), 8)
    with pytest.raises(NotFound):
        of_file(str(tmp_path / "none"), 8)


def test_an_error_of_reading_is_raised() -> None:
    def read(_start: int, _end: int) -> bytes:
        raise OSError("gone")

    following = Following(1, PART, read)
    following.arrived(0)
    with pytest.raises(OSError, match="gone"):
        following.result()

"""A file on its way up: checked before, sent in chunks, sent again from the start if need be."""

from collections.abc import Callable, Iterator
from pathlib import Path

from coldpress.errors import InvalidRequest
from coldpress.uploads import MAX_FILENAME, check_filename

CHUNK_BYTES = 256 << 10


class UploadFile:
    """An iterable of a file's bytes that can be read more than once, as retries need it."""

    def __init__(self, path: Path, on_progress: Callable[[int, int], None]) -> None:
        """`on_progress` is called with the bytes sent and the file's size.

        Raises:
            InvalidRequest: no such file, a folder, an empty file, or one that does not end in .onnx.
        """
        if path.is_dir():
            raise InvalidRequest(f"{path} is a folder; give the .onnx file")
        if not path.is_file():
            raise InvalidRequest(f"there is no file {path}")
        self.path = path
        self.size = path.stat().st_size
        if self.size == 0:
            raise InvalidRequest(f"{path} is empty")
        self.name = _upload_name(path)
        self._on_progress = on_progress

    def __iter__(self) -> Iterator[bytes]:
        """Raises `InvalidRequest` when the file's size is no longer what the server was told."""
        sent = 0
        self._on_progress(sent, self.size)
        with self.path.open("rb") as file:
            while chunk := file.read(CHUNK_BYTES):
                sent += len(chunk)
                if sent > self.size:
                    break
                yield chunk
                self._on_progress(sent, self.size)
        if sent != self.size:
            raise InvalidRequest(f"{self.path} changed while it was being uploaded; publish it again")


def _upload_name(path: Path) -> str:
    """The file's name with what a store's key should not hold replaced: `my model (2).onnx` is welcome."""
    if path.suffix != ".onnx":
        raise InvalidRequest(f"{path} does not end in .onnx: only ONNX files are ingested")
    kept = "".join(c if c.isascii() and (c.isalnum() or c in "_-") else "-" for c in path.stem)
    stem = kept.strip("-")[: MAX_FILENAME - len(path.suffix)] or "model"
    return check_filename(stem + path.suffix)

"""What makes a folder an object store: obstore has no compare-and-swap for files, and copies to read."""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager

from coldpress.errors import Internal
from coldpress.objectstore import translated


@contextmanager
def locked(folder: str) -> Iterator[None]:
    """One writer at a time, on this machine. A process that ends lets go of the lock."""
    import fcntl

    # Names that end like this are obstore's own for temporary files: they are never listed.
    with open(f"{folder}/.lock#0", "a+b") as lock:  # noqa: PTH123 - pathlib is not imported on the cold path
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


@contextmanager
def later(path: str) -> Iterator[None]:
    """Whatever is written to `path` inside the block is newer than what was there before it.

    A file's ETag is its inode, its time in microseconds and its size. Inodes are used again, and many
    kernels' file clocks tick every 4 ms only, or are set back: a value could get the ETag of an older one.
    """
    least = os.stat(path).st_mtime_ns // 1000 * 1000 + 1000  # noqa: PTH116
    yield
    if os.stat(path).st_mtime_ns < least:  # noqa: PTH116
        os.utime(path, ns=(least, least))


def mapped(folder: str, key: str, size: int) -> mmap.mmap:
    """A file in place, as memory of its own to whoever writes into it.

    Raises `NotFound`, and `Internal` when it has another size.
    """
    with translated(key), open(f"{folder}/{key}", "rb") as file:  # noqa: PTH123
        if os.fstat(file.fileno()).st_size != size:
            raise Internal(f"{key} has another size than its manifest says ({size} bytes)")
        # An empty file cannot be mapped.
        return mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) if size else mmap.mmap(-1, 1)

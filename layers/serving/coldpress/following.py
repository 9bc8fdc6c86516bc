"""The hash of a large object while it is still coming in."""

import mmap
import os
import threading
from collections.abc import Callable

from coldpress.aside import Aside
from coldpress.errors import Internal, NotFound

STEP_BYTES = 1 << 20


class Following:
    """SHA-256 of an object whose parts come in any order: a thread follows as far as all of them are there.

    It is mostly done when the last part has come, and the rest is done while the model is opened.
    """

    def __init__(self, size: int, part_bytes: int, read: Callable[[int, int], bytes | memoryview]) -> None:
        """`read(start, end)`: the bytes of a step, which are there by then."""
        import hashlib

        self._digest = hashlib.sha256()
        self._size = size
        self._part_bytes = part_bytes
        self._read = read
        self._parts: set[int] = set()
        self._changed = threading.Condition()
        self._abandoned = False
        self._thread = Aside(self._follow)

    def arrived(self, start: int) -> None:
        """The part that begins at `start` is there."""
        with self._changed:
            self._parts.add(start)
            self._changed.notify()

    def abandon(self) -> None:
        """The rest will not come."""
        with self._changed:
            self._abandoned = True
            self._changed.notify()

    def result(self) -> str:
        """The hash, in hex; waits for it."""
        self._thread.result()
        return self._digest.hexdigest()

    def _follow(self) -> None:
        for part in range(0, self._size, self._part_bytes):
            with self._changed:
                self._changed.wait_for(lambda: part in self._parts or self._abandoned)  # noqa: B023
                if part not in self._parts:
                    return
            end = min(part + self._part_bytes, self._size)
            for start in range(part, end, STEP_BYTES):
                self._digest.update(self._read(start, min(start + STEP_BYTES, end)))


def of_file(path: str, size: int) -> Following:
    """The hash of a file that is there.

    Raises:
        NotFound: there is none.
        Internal: it has another size.
    """
    try:
        file = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        raise NotFound(f"{path} is not there") from None
    try:
        if os.fstat(file).st_size != size:
            raise Internal(f"{path} has another size than its manifest says ({size} bytes)")
        following = Following(size, size, reading(file, size))
    finally:
        os.close(file)
    following.arrived(0)
    return following


def reading(file: int, size: int) -> Callable[[int, int], memoryview]:
    """Reads steps of an open file; a step is mapped while it is hashed, and then no longer.

    Reading would copy it, and pages that stay mapped count as memory in use.
    """
    mapped = mmap.mmap(file, size, access=mmap.ACCESS_READ)
    view = memoryview(mapped)

    def read(start: int, end: int) -> memoryview:
        if start:
            mapped.madvise(mmap.MADV_DONTNEED, start - STEP_BYTES, STEP_BYTES)
        return view[start:end]

    return read

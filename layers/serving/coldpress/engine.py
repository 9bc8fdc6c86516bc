"""ONNX Runtime's library, opened by a thread from the first moment: that takes longer than all the imports.

Most of the opening is a few calls into C (15 ms) that other threads need not wait for.
"""

from coldpress.aside import Aside
from coldpress.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from coldpress.ort import Library

# One Identity, as ONNX. The first session of a process also makes the table of all kernels, which is 3 ms:
# made here, those are not at the expense of the request that waits for the first real model.
SMALLEST_MODEL = (
    b'\x08\x08\x12\x00:.\n\x10\n\x01x\x12\x01y"\x08Identity\x12\x00Z\x0b\n\x01x\x12\x06\n\x04\x08\x01\x12\x00'
    b"b\x0b\n\x01y\x12\x06\n\x04\x08\x01\x12\x00B\x04\n\x00\x10\r"
)

# By the configured path: a second data plane in the same process shares the library of the first.
_opening: dict[str, "Aside[Library]"] = {}


def begin(configured: str) -> "Aside[Library]":
    """Begins to open the library at a configured path (empty: looked for), unless it was begun already."""
    if configured not in _opening:
        # Imported here and not in the thread: the two would only take the interpreter from each other, and
        # two threads that import the same modules at once have been seen to fail.
        from coldpress import ort
        from coldpress.ort.library import two_heaps

        options = ort.SessionOptions(optimisation="none")
        open_library, open_session, path = ort.Library.open, ort.Session.open, ort.library_path

        def work() -> "Library":
            library = open_library(path(configured))
            open_session(library, SMALLEST_MODEL, options).close()
            return library

        two_heaps()
        # A process that ends meanwhile would take the library's tables from under the thread: a crash.
        _opening[configured] = Aside(work, finished_at_exit=True)
    return _opening[configured]

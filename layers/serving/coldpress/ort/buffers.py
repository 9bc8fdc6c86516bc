"""A Python buffer's address, held still while native code reads it."""

from __future__ import annotations

import ctypes
import sys
from ctypes import c_int, c_size_t, c_void_p, py_object

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing_extensions import Buffer

# Prototypes of our own: argument types set on `ctypes.pythonapi`'s functions would reach its other users.
_get = ctypes.PYFUNCTYPE(c_int, py_object, c_void_p, c_int)(("PyObject_GetBuffer", ctypes.pythonapi))
_release = ctypes.PYFUNCTYPE(None, c_void_p)(("PyBuffer_Release", ctypes.pythonapi))

_PY_BUFFER = c_size_t * 10
"""A Py_buffer in words: 0 address, 1 exporter, 2 length in bytes … (stable ABI since Python 3.11)."""


class Pin:
    """Holds a buffer, read-only ones and slices included, at its `address`; `nbytes` long. Nothing is copied.

    The pin owns a reference to the exporter, and an exporter with a live pin neither moves nor frees its
    memory (a bytearray refuses to resize, an mmap to close): who holds the pin may hand the address to C.

    Raises:
        BufferError: not C-contiguous.
        TypeError: no buffer.
    """

    __slots__ = ("_view", "address", "nbytes")

    def __init__(self, data: Buffer) -> None:
        self._view = view = _PY_BUFFER()
        _get(data, view, 0)  # PyBUF_SIMPLE: contiguous bytes, writable or not
        self.address = view[0]
        self.nbytes = view[2]

    def release(self) -> None:
        """Let go; the address must not be used any more. Once more does nothing."""
        _release(self._view)

    def __del__(self, _finalizing: object = sys.is_finalizing) -> None:
        if not _finalizing():  # type: ignore[operator]
            _release(self._view)

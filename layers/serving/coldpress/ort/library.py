"""Finding and opening ONNX Runtime's shared library, once per process."""

from __future__ import annotations

import ctypes
import os
import sys
from _thread import allocate_lock
from ctypes import byref, c_char_p, c_uint32, c_void_p

from coldpress.errors import Internal, Unsupported
from coldpress.ort.api import API_VERSION, Api

LAYER = "/opt/lib"
"""Where the Lambda layer puts the library."""

SEVERITY_FATAL = 4
"""ORT_LOGGING_LEVEL_FATAL: nothing on stderr but what ends the process.

At WARNING ONNX Runtime complains about every odd but legal model; at ERROR it prints each failed run, which
an exception reports already, so that any client could fill the log.
"""


def library_path(configured: str = "") -> str:
    """The path of ONNX Runtime's shared library: as configured, else the layer's, else the installed wheel's.

    The wheel is looked for along `sys.path`: `importlib.metadata` would find the same file 23 ms later.

    Raises:
        Unsupported: not Linux on x86_64 or aarch64.
        Internal: there is none.
    """
    machine = os.uname().machine if hasattr(os, "uname") else "unknown"
    if sys.platform != "linux" or machine not in ("x86_64", "aarch64"):
        raise Unsupported(
            "Coldpress runs ONNX Runtime's C library on Linux x86_64 and aarch64; "
            f"this is {sys.platform} {machine}. Use a Linux machine or container"
        )
    if configured:
        if not os.path.isfile(configured):  # noqa: PTH113 - pathlib costs 4 ms of the cold start
            raise Internal(
                f"COLDPRESS_ORT_LIBRARY={configured!r} is no file; give ONNX Runtime's libonnxruntime.so"
            )
        return configured
    for folder in (LAYER, *(f"{entry or '.'}/onnxruntime/capi" for entry in sys.path)):
        found = _library_in(folder)
        if found:
            return found
    raise Internal(
        f"ONNX Runtime's libonnxruntime.so is neither in {LAYER} nor in an installed onnxruntime wheel; "
        "install onnxruntime or set COLDPRESS_ORT_LIBRARY to the file"
    )


def _library_in(folder: str) -> str:
    try:
        names = os.listdir(folder)  # noqa: PTH208 - pathlib costs 4 ms of the cold start
    except OSError:
        return ""
    libraries = sorted(name for name in names if name.startswith("libonnxruntime.so"))
    return f"{folder}/{libraries[0]}" if libraries else ""


# glibc's malloc.h.
M_TOP_PAD = -2
"""How many bytes more than needed the heap grows by."""
M_MMAP_THRESHOLD = -3
"""Blocks above this many bytes are the system's, and go back to it when they are freed."""
M_ARENA_MAX = -8
"""How many heaps there are."""


def two_heaps() -> None:
    """Makes the first thread have a heap, and all threads that start from now on together another one.

    glibc gives each a heap of its own, which grows by one system call a page: opening the library in a thread
    took 3 ms more than in the first one. With one heap for all, that thread and the one that imports modules
    meanwhile put each other to sleep 160 times: 20 ms and 15 ms instead of 16 and 10.
    """
    mallopt = ctypes.PyDLL(None).mallopt
    mallopt(M_ARENA_MAX, 2)
    mallopt(M_TOP_PAD, 8 << 20)


class Library:
    """The opened library and its one environment (`OrtEnv`). Both live until the process ends.

    `version` is ONNX Runtime's own, such as "1.31.1". Opening releases the interpreter's lock for most of its
    20 ms, so that it can go on while another thread fetches the model.
    """

    _opened: Library | None = None
    _opening = allocate_lock()

    def __init__(self, path: str, severity: int) -> None:
        # Since 1.29 the Linux wheels send usage data, and decide so while they load.
        os.environ["ORT_DISABLE_TELEMETRY"] = "1"
        self.path = path
        # Opening an ONNX file needs copies of its weights for a moment. glibc keeps freed blocks of up to
        # 32 MiB for itself once it has seen one: 120 MB after eight models of 20 MB, each closed again.
        ctypes.PyDLL(None).mallopt(M_MMAP_THRESHOLD, 1 << 20)
        self._library = ctypes.CDLL(path)  # kept: the functions below point into it
        get_base = self._library.OrtGetApiBase
        get_base.restype = c_void_p
        get_api, get_version = (c_void_p * 2).from_address(get_base())
        self.version = ctypes.PYFUNCTYPE(c_char_p)(get_version or 0)().decode()
        table = ctypes.PYFUNCTYPE(c_void_p, c_uint32)(get_api or 0)(API_VERSION)
        if not table:
            raise Internal(
                f"ONNX Runtime {self.version} at {path} is too old; 1.{API_VERSION} or later is needed"
            )
        self.api = api = Api(table)
        self.env = self._made(api.CreateEnv, severity, b"coldpress")
        api.DisableTelemetryEvents(self.env)
        self.memory_info = self._made(api.CreateCpuMemoryInfo, 0, 0)
        self.allocator = self._made(api.GetAllocatorWithDefaultOptions)

    @staticmethod
    def _made(create: object, *arguments: object) -> int:
        made = c_void_p()
        create(*arguments, byref(made))  # type: ignore[operator]
        return made.value or 0

    @classmethod
    def open(cls, path: str, severity: int = SEVERITY_FATAL) -> Library:
        """The process's library, opened by the first call; threads that call meanwhile wait for it.

        `severity` (0 verbose … 4 fatal) is the least that ONNX Runtime writes to stderr; the first call
        sets it.

        Raises:
            Internal: the file is no usable ONNX Runtime, or another one is open already.
        """
        with cls._opening:
            if cls._opened is None:
                try:
                    cls._opened = cls(path, severity)
                except (OSError, AttributeError) as error:
                    raise Internal(f"{path!r} cannot be opened as ONNX Runtime's library: {error}") from error
            elif os.path.realpath(path) != os.path.realpath(cls._opened.path):
                raise Internal(f"{cls._opened.path!r} is open already; one process holds one ONNX Runtime")
            return cls._opened

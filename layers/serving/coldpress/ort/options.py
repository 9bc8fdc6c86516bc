"""How a session is opened."""

from __future__ import annotations

from ctypes import byref, c_void_p

from coldpress.errors import InvalidRequest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Final

    from coldpress.ort.api import Api

LEVELS = {"none": 0, "basic": 1, "extended": 2, "all": 99}
"""GraphOptimizationLevel."""

IN_PLACE = "session.use_ort_model_bytes_directly"
"""The entry that makes a session keep using the caller's model bytes; the session then keeps them alive."""


class SessionOptions:
    """How a session is opened.

    `threads`: of one inference, >= 1 (ONNX Runtime's 0, "all the machine's", is never right in a function
    that has a share of it). `optimisation`: graph rewrites while loading: "none", "basic", "extended", "all".
    `arena`, `memory_pattern`: keep and plan memory between runs; faster, but it grows with every new shape.
    `config`: session configuration entries, by the names ONNX Runtime gives them.
    `optimised_model_path`: also write the optimised graph there, as ONNX, or as ORT format with the entry
    `session.save_model_format` = "ORT". ONNX Runtime writes in place: give a temporary name and move it.
    """

    __slots__ = ("arena", "config", "memory_pattern", "optimisation", "optimised_model_path", "threads")

    threads: Final[int]
    optimisation: Final[str]
    arena: Final[bool]
    memory_pattern: Final[bool]
    config: Final[Mapping[str, str]]
    optimised_model_path: Final[str | None]

    def __init__(
        self,
        threads: int = 1,
        optimisation: str = "all",
        arena: bool = True,
        memory_pattern: bool = True,
        config: Mapping[str, str] | None = None,
        optimised_model_path: str | None = None,
    ) -> None:
        if threads < 1:
            raise InvalidRequest(f"threads is {threads}; it must be 1 or more")
        if optimisation not in LEVELS:
            raise InvalidRequest(f"no optimisation level {optimisation!r}; there are {', '.join(LEVELS)}")
        self.threads = threads
        self.optimisation = optimisation
        self.arena = arena
        self.memory_pattern = memory_pattern
        self.config = dict(config or {})
        self.optimised_model_path = optimised_model_path

    @property
    def in_place(self) -> bool:
        """Whether the session goes on reading the model's bytes after it is opened."""
        return self.config.get(IN_PLACE) == "1"

    def create(self, api: Api) -> c_void_p:
        """A native OrtSessionOptions; the caller releases it."""
        options = c_void_p()
        api.CreateSessionOptions(byref(options))
        try:
            self._apply(api, options)
        except BaseException:
            api.ReleaseSessionOptions(options)
            raise
        return options

    def _apply(self, api: Api, options: c_void_p) -> None:
        api.SetIntraOpNumThreads(options, self.threads)
        api.SetInterOpNumThreads(options, 1)
        api.SetSessionGraphOptimizationLevel(options, LEVELS[self.optimisation])
        if not self.arena:
            api.DisableCpuMemArena(options)
        if not self.memory_pattern:
            api.DisableMemPattern(options)
        # A spinning thread burns CPU time that the function pays for while it waits.
        entries = {"session.intra_op.allow_spinning": "0", **self.config}
        for key, value in entries.items():
            api.AddSessionConfigEntry(options, text(key), text(value))
        if self.optimised_model_path:
            api.SetOptimizedModelFilePath(options, text(self.optimised_model_path))


def text(value: str) -> bytes:
    """`value` for C.

    Raises:
        InvalidRequest: it holds a NUL, where C would cut it off.
    """
    if "\0" in value:
        raise InvalidRequest(f"{value!r} holds a NUL character")
    return value.encode("utf-8", "surrogateescape")

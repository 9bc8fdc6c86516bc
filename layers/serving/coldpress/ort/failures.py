"""What ONNX Runtime's errors mean to a caller."""

from __future__ import annotations

from coldpress.errors import ColdpressError, InvalidRequest, TooLarge

CODES = (
    "OK",
    "FAIL",
    "INVALID_ARGUMENT",
    "NO_SUCHFILE",
    "NO_MODEL",
    "ENGINE_ERROR",
    "RUNTIME_EXCEPTION",
    "INVALID_PROTOBUF",
    "MODEL_LOADED",
    "NOT_IMPLEMENTED",
    "INVALID_GRAPH",
    "EP_FAIL",
    "MODEL_LOAD_CANCELED",
    "MODEL_REQUIRES_COMPILATION",
    "NOT_FOUND",
)
"""OrtErrorCode by number."""


class OrtError(ColdpressError):
    """ONNX Runtime refused or failed; its message. `code` is its OrtErrorCode, `reason` that code's name."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = CODES[code] if 0 <= code < len(CODES) else str(code)


class OrtInvalidInput(OrtError, InvalidRequest):
    """A run refused because of its inputs' values: an index out of bounds, lengths that do not match."""


class OrtOutOfMemory(OrtError, TooLarge):
    """A run that needs more memory than there is."""


_FAILED_NODE = "Non-zero status code returned while running "
_OF_NODES = ("FAIL", "RUNTIME_EXCEPTION")
_NO_MEMORY = ("Failed to allocate memory", "std::bad_alloc")


def run_error(error: OrtError) -> OrtError:
    """The same error of a run, as its cause.

    A node of the graph that fails on the CPU fails because of what it was given (or for want of memory), and
    names no code for that: "FAIL" for lengths that differ, "INVALID_ARGUMENT" for an index. Everything else
    stays an OrtError, a fault on this side.
    """
    message = str(error)
    if any(words in message for words in _NO_MEMORY):
        return OrtOutOfMemory(
            error.code, f"the model ran out of memory; send fewer rows or give the function more: {message}"
        )
    if error.reason == "INVALID_ARGUMENT" or (message.startswith(_FAILED_NODE) and error.reason in _OF_NODES):
        return OrtInvalidInput(error.code, f"the model cannot take these values: {message}")
    return error

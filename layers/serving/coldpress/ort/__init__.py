"""ONNX Runtime from Python without numpy: find and open its library, open a model, run it.

Names are imported when they are first used: the library is opened before the rest of this package is needed.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coldpress.ort.failures import OrtError, OrtInvalidInput, OrtOutOfMemory
    from coldpress.ort.library import Library, library_path
    from coldpress.ort.options import SessionOptions
    from coldpress.ort.session import Session
    from coldpress.ort.specs import TensorSpec

_MODULES = {
    "Library": "library",
    "OrtError": "failures",
    "OrtInvalidInput": "failures",
    "OrtOutOfMemory": "failures",
    "Session": "session",
    "SessionOptions": "options",
    "TensorSpec": "specs",
    "library_path": "library",
}

__all__ = [
    "Library",
    "OrtError",
    "OrtInvalidInput",
    "OrtOutOfMemory",
    "Session",
    "SessionOptions",
    "TensorSpec",
    "library_path",
]


def __getattr__(name: str) -> object:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    value: object = getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return [*globals(), *__all__]

"""ONNX Runtime from Python without numpy: find and open its library, open a model, run it."""

from coldpress.ort.failures import OrtError, OrtInvalidInput, OrtOutOfMemory
from coldpress.ort.library import Library, library_path
from coldpress.ort.options import SessionOptions
from coldpress.ort.session import Session
from coldpress.ort.specs import TensorSpec

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

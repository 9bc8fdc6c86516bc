"""ONNX Runtime's table of C functions (`OrtApi`), each bound when it is first called.

Why ctypes and neither the wheel's Python module nor a compiled binding: numpy's import is most of the Python
module's cold start (119 ms against 35 ms to a first prediction), and one pure Python artefact serves every
Python and architecture.
"""

from __future__ import annotations

import ctypes
from ctypes import c_bool, c_char_p, c_int, c_void_p

from coldpress.ort.failures import OrtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

API_VERSION = 24
"""The oldest table that has every function below; a newer library answers it too, as it only ever appends."""

# name -> (position in the table, number of arguments). Every argument is one machine word (a pointer, a size
# or an int), so the position and the number are all that a call needs: a handful of prototypes serve every
# function, where one with exact types each would cost 30 us a function.
_STATUS = {
    "CreateEnv": (3, 3),
    "DisableTelemetryEvents": (6, 1),
    "CreateSession": (7, 4),
    "CreateSessionFromArray": (8, 5),
    "Run": (9, 8),
    "CreateSessionOptions": (10, 1),
    "SetOptimizedModelFilePath": (11, 2),
    "DisableMemPattern": (17, 1),
    "DisableCpuMemArena": (19, 1),
    "SetSessionGraphOptimizationLevel": (23, 2),
    "SetIntraOpNumThreads": (24, 2),
    "SetInterOpNumThreads": (25, 2),
    "SessionGetInputCount": (30, 2),
    "SessionGetOutputCount": (31, 2),
    "SessionGetInputTypeInfo": (33, 3),
    "SessionGetOutputTypeInfo": (34, 3),
    "SessionGetInputName": (36, 4),
    "SessionGetOutputName": (37, 4),
    "CreateRunOptions": (39, 1),
    "RunOptionsSetTerminate": (46, 1),
    "RunOptionsUnsetTerminate": (47, 1),
    "CreateTensorAsOrtValue": (48, 5),
    "CreateTensorWithDataAsOrtValue": (49, 7),
    "GetTensorMutableData": (51, 2),
    "FillStringTensor": (52, 3),
    "GetStringTensorDataLength": (53, 2),
    "GetStringTensorContent": (54, 5),
    "CastTypeInfoToTensorInfo": (55, 2),
    "GetOnnxTypeFromTypeInfo": (56, 2),
    "GetTensorElementType": (60, 2),
    "GetDimensionsCount": (61, 2),
    "GetDimensions": (62, 3),
    "GetSymbolicDimensions": (63, 3),
    "GetValueType": (67, 2),
    "CreateCpuMemoryInfo": (69, 3),
    "AllocatorFree": (76, 2),
    "GetAllocatorWithDefaultOptions": (78, 1),
    "GetValue": (80, 4),
    "GetValueCount": (81, 2),
    "CastTypeInfoToMapTypeInfo": (103, 2),
    "CastTypeInfoToSequenceTypeInfo": (104, 2),
    "GetMapKeyType": (105, 2),
    "GetMapValueType": (106, 2),
    "GetSequenceElementType": (107, 2),
    "SessionGetModelMetadata": (111, 2),
    "ModelMetadataLookupCustomMetadataMap": (116, 4),
    "ModelMetadataGetCustomMetadataMapKeys": (123, 4),
    "AddSessionConfigEntry": (130, 3),
    "HasValue": (192, 2),
    "CastTypeInfoToOptionalTypeInfo": (250, 2),
    "GetOptionalContainedTypeInfo": (251, 2),
    "GetResizedStringTensorElementBuffer": (252, 4),
    "GetTensorElementTypeAndShapeDataReference": (414, 4),
}
_OTHERS: dict[str, tuple[int, int, Any]] = {
    "GetErrorCode": (1, 1, c_int),
    "GetErrorMessage": (2, 1, c_char_p),
    "ReleaseStatus": (93, 1, None),
    "ReleaseSession": (95, 1, None),
    "ReleaseValue": (96, 1, None),
    "ReleaseRunOptions": (97, 1, None),
    "ReleaseTypeInfo": (98, 1, None),
    "ReleaseSessionOptions": (100, 1, None),
    "ReleaseModelMetadata": (118, 1, None),
    "TensorTypeAndShape_HasShape": (390, 1, c_bool),
}
# These take milliseconds and more, so other threads run meanwhile. All others keep the interpreter's lock:
# giving it up and winning it back costs more than they do, up to 5 ms while another thread computes.
_SLOW = frozenset({"CreateEnv", "CreateSession", "CreateSessionFromArray", "Run", "ReleaseSession"})


class Api:
    """`OrtApi`: each function is an attribute; one that fails raises OrtError."""

    def __init__(self, address: int) -> None:
        self._table = (c_void_p * 415).from_address(address)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        result: Any
        if name in _STATUS:
            index, arity = _STATUS[name]
            result = c_void_p
        elif name in _OTHERS:
            index, arity, result = _OTHERS[name]
        else:
            raise AttributeError(f"no function {name!r} in the table")
        prototype = ctypes.CFUNCTYPE if name in _SLOW else ctypes.PYFUNCTYPE
        function: Any = prototype(result, *[c_void_p] * arity)(self._table[index] or 0)
        if name in _STATUS:
            function.errcheck = self.check
        setattr(self, name, function)
        return function  # type: ignore[no-any-return]

    def bare(self, name: str) -> Callable[..., int | None]:
        """A function that answers its status, for `check`; it takes nothing but ctypes' own values and None.

        Half as long a call, as neither is each argument converted nor the status looked at by Python.
        """
        prototype = ctypes.CFUNCTYPE if name in _SLOW else ctypes.PYFUNCTYPE
        return prototype(c_void_p)(self._table[_STATUS[name][0]] or 0)

    def check(self, status: int | None, *_: object) -> None:
        """Raises `OrtError` for a status that is one, and frees it."""
        if status is None:
            return
        code, text = self.GetErrorCode(status), self.GetErrorMessage(status)
        self.ReleaseStatus(status)
        raise OrtError(code, text.decode("utf-8", "replace")[:2000])

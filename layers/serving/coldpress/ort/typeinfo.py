"""ONNX's types, read from ONNX Runtime."""

from __future__ import annotations

from ctypes import byref, c_char_p, c_int, c_int64, c_size_t, c_void_p

from coldpress.ort.specs import TensorSpec
from coldpress.tensors import BY_ONNX

TYPE_CHECKING = False
if TYPE_CHECKING:
    from coldpress.ort.api import Api

TENSOR, SEQUENCE, MAP, OPTIONAL = 1, 2, 3, 6
KINDS = {0: "unknown", 1: "tensor", 2: "sequence", 3: "map", 4: "opaque", 5: "sparse", 6: "optional"}

# Legal in a graph, but no client can send or read them; named so that a refusal can say what it is.
FOREIGN = {
    14: "COMPLEX64",
    15: "COMPLEX128",
    17: "FLOAT8E4M3FN",
    18: "FLOAT8E4M3FNUZ",
    19: "FLOAT8E5M2",
    20: "FLOAT8E5M2FNUZ",
    21: "UINT4",
    22: "INT4",
    23: "FLOAT4E2M1",
}


def read_spec(api: Api, name: str, info: c_void_p) -> TensorSpec:
    """The TensorSpec that an OrtTypeInfo describes."""
    kind = c_int()
    api.GetOnnxTypeFromTypeInfo(info, byref(kind))
    inner = c_void_p()
    if kind.value == TENSOR:
        api.CastTypeInfoToTensorInfo(info, byref(inner))
        return _read_tensor(api, name, inner)
    if kind.value == SEQUENCE:
        api.CastTypeInfoToSequenceTypeInfo(info, byref(inner))
        element = _contained(api, name, api.GetSequenceElementType, inner)
        return _like(element, "maps" if element.kind == "map" else "sequence")
    if kind.value == MAP:
        api.CastTypeInfoToMapTypeInfo(info, byref(inner))
        key = c_int()
        api.GetMapKeyType(inner, byref(key))
        return _like(_contained(api, name, api.GetMapValueType, inner), "map", _datatype(key.value))
    if kind.value == OPTIONAL:
        api.CastTypeInfoToOptionalTypeInfo(info, byref(inner))
        return _like(_contained(api, name, api.GetOptionalContainedTypeInfo, inner), "optional")
    return TensorSpec(name, "", kind=KINDS.get(kind.value, "unknown"), ranked=False)


def _like(spec: TensorSpec, kind: str, keys: str = "") -> TensorSpec:
    return TensorSpec(
        spec.name, spec.datatype, spec.shape, spec.dimensions, kind, keys or spec.keys, spec.ranked
    )


def _contained(api: Api, name: str, get: object, outer: c_void_p) -> TensorSpec:
    info = c_void_p()
    get(outer, byref(info))  # type: ignore[operator]
    try:
        return read_spec(api, name, info)
    finally:
        api.ReleaseTypeInfo(info)


def _datatype(onnx: int) -> str:
    return BY_ONNX[onnx].name if onnx in BY_ONNX else FOREIGN.get(onnx, f"ONNX type {onnx}")


def _read_tensor(api: Api, name: str, info: c_void_p) -> TensorSpec:
    element, rank = c_int(), c_size_t()
    api.GetTensorElementType(info, byref(element))
    datatype = _datatype(element.value)
    if not api.TensorTypeAndShape_HasShape(info):
        return TensorSpec(name, datatype, ranked=False)
    api.GetDimensionsCount(info, byref(rank))
    sizes, names = (c_int64 * rank.value)(), (c_char_p * rank.value)()
    api.GetDimensions(info, sizes, rank.value)
    api.GetSymbolicDimensions(info, names, rank.value)
    symbols = tuple((symbol or b"").decode("utf-8", "replace") for symbol in names)
    return TensorSpec(name, datatype, tuple(sizes), symbols)

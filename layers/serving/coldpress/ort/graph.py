"""What an opened model says of itself: its inputs, its outputs, its metadata."""

from __future__ import annotations

from ctypes import byref, c_size_t, c_void_p, string_at

from coldpress.ort.typeinfo import read_spec

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from coldpress.ort.library import Library
    from coldpress.ort.specs import TensorSpec

    Named = tuple[list[bytes], tuple[TensorSpec, ...]]


def read_inputs(library: Library, session: int) -> Named:
    """The inputs' names as the graph spells them, and what it declares of them."""
    api = library.api
    return _declared(
        library, session, api.SessionGetInputCount, api.SessionGetInputName, api.SessionGetInputTypeInfo
    )


def read_outputs(library: Library, session: int) -> Named:
    """The same of the outputs."""
    api = library.api
    return _declared(
        library, session, api.SessionGetOutputCount, api.SessionGetOutputName, api.SessionGetOutputTypeInfo
    )


def _declared(
    library: Library,
    session: int,
    get_count: Callable[..., Any],
    get_name: Callable[..., Any],
    get_type: Callable[..., Any],
) -> Named:
    count = c_size_t()
    get_count(session, byref(count))
    names, specs = [], []
    for index in range(count.value):
        name, info = c_void_p(), c_void_p()
        get_name(session, index, library.allocator, byref(name))
        names.append(_taken(library, name.value or 0))
        get_type(session, index, byref(info))
        try:
            specs.append(read_spec(library.api, names[-1].decode("utf-8", "replace"), info))
        finally:
            library.api.ReleaseTypeInfo(info)
    return names, tuple(specs)


def _taken(library: Library, address: int) -> bytes:
    """The C string at `address`, which ONNX Runtime allocated for us; freed."""
    content = string_at(address)
    library.api.AllocatorFree(library.allocator, address)
    return content


def read_metadata(library: Library, session: int) -> dict[str, str]:
    """The model's own key-value pairs (ONNX's `metadata_props`)."""
    api, metadata = library.api, c_void_p()
    keys, count = c_void_p(), c_size_t()
    found = {}
    api.SessionGetModelMetadata(session, byref(metadata))
    try:
        api.ModelMetadataGetCustomMetadataMapKeys(metadata, library.allocator, byref(keys), byref(count))
        if not keys.value:
            return {}
        for address in (c_size_t * count.value).from_address(keys.value):
            key, value = _taken(library, address), c_void_p()
            api.ModelMetadataLookupCustomMetadataMap(metadata, library.allocator, key, byref(value))
            found[key.decode("utf-8", "replace")] = _taken(library, value.value or 0).decode(
                "utf-8", "replace"
            )
        api.AllocatorFree(library.allocator, keys)
        return found
    finally:
        api.ReleaseModelMetadata(metadata)

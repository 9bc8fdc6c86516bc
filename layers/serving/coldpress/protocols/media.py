"""Plain bodies that are neither text nor JSON: CSV, NumPy's .npy, images and other raw bytes.

Nothing is decoded that the model can decode itself: an image reaches it as the bytes that came.
"""

from typing import Any

from coldpress.errors import InvalidRequest
from coldpress.protocols.plain import batched, only_input
from coldpress.protocols.plain import tensors_of as rows_to_tensors
from coldpress.protocols.values import pack
from coldpress.registry import Manifest, TensorInfo
from coldpress.settings import Settings
from coldpress.tensors import DATATYPES, Tensor

TYPES = (
    "application/json, text/plain, text/csv, application/x-npy, "
    "image/jpeg, image/png, application/octet-stream"
)
_RAW = ("image/", "audio/", "application/octet-stream")
_MAGIC = b"\x93NUMPY"
_NPY = {
    "|b1": "BOOL", "|i1": "INT8", "<i2": "INT16", "<i4": "INT32", "<i8": "INT64", "|u1": "UINT8",
    "<u2": "UINT16", "<u4": "UINT32", "<u8": "UINT64", "<f2": "FP16", "<f4": "FP32", "<f8": "FP64",
}  # fmt: skip


def tensors_of(kind: str, body: bytes, manifest: Manifest, settings: Settings) -> list[Tensor]:
    """The tensors in a body of the type `kind`. Raises `InvalidRequest`, `TooLarge`."""
    if kind == "text/csv":
        return _csv(body, manifest, settings)
    info = only_input(manifest)
    if kind == "application/x-npy":
        return [_npy(body, info, settings)]
    if kind.startswith(_RAW):
        return [_raw(kind, body, info)]
    raise InvalidRequest(f"bodies of type {kind!r:.60} are not read here; send {TYPES}")


def _raw(kind: str, body: bytes, info: TensorInfo) -> Tensor:
    variable = [length for length in info.shape if length < 0]
    if info.datatype == "BYTES" and all(length in (-1, 1) for length in info.shape):
        return Tensor(info.name, "BYTES", (1,) * len(info.shape), [body])
    if info.datatype == "UINT8" and len(variable) <= 1 and all(length in (-1, 1) for length in info.shape):
        return Tensor(info.name, "UINT8", tuple(len(body) if n < 0 else n for n in info.shape), body)
    raise InvalidRequest(
        f"the model takes {info.datatype} of shape {list(info.shape)}, not the bytes of {kind}: "
        "put the decoder into its graph, or send the numbers as JSON or application/x-npy"
    )


def _csv(body: bytes, manifest: Manifest, settings: Settings) -> list[Tensor]:
    """With a header of input names a column each; without one, the cells of a line are one row."""
    import csv
    import io

    try:
        lines = [line for line in csv.reader(io.StringIO(body.decode()), strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest(f"the body is no CSV in UTF-8: {error}") from None
    names = {info.name: info for info in manifest.inputs}
    if lines and set(lines[0]) == set(names):
        header, rows = lines[0], lines[1:]
        for number, row in enumerate(rows, 1):
            if len(row) != len(header):
                raise InvalidRequest(f"CSV row {number} has {len(row)} cells, the header has {len(header)}")
        cells: list[Any] = [
            {name: _cell(names[name], text, n) for name, text in zip(header, row, strict=True)}
            for n, row in enumerate(rows, 1)
        ]
    else:
        info = only_input(manifest)
        values = [[_cell(info, text, n) for text in row] for n, row in enumerate(lines, 1)]
        scalar = len(info.shape) - batched(info) == 0
        cells = [row[0] if scalar and len(row) == 1 else row for row in values]
    return rows_to_tensors(cells, manifest, settings)


def _cell(info: TensorInfo, text: str, number: int) -> Any:
    if info.datatype == "BYTES":
        return text
    try:
        if info.datatype == "BOOL":
            return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
        return float(text) if info.datatype.startswith(("FP", "BF")) else int(text)
    except (ValueError, KeyError):
        raise InvalidRequest(
            f"CSV row {number}: {text!r:.60} is no {info.datatype} for {info.name!r}"
        ) from None


def _npy(body: bytes, info: TensorInfo, settings: Settings) -> Tensor:
    """NumPy's own format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html."""
    import ast

    if body[:6] != _MAGIC or len(body) < 12:
        raise InvalidRequest("the body is no .npy file")
    wide = body[6] > 1
    start = 12 if wide else 10
    length = int.from_bytes(body[8:start], "little")
    try:
        header = ast.literal_eval(body[start : start + length].decode("latin-1").strip())
        descr, fortran, shape = header["descr"], header["fortran_order"], [int(n) for n in header["shape"]]
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise InvalidRequest(f"the .npy header cannot be read: {error}") from None
    if descr not in _NPY or (fortran and len(shape) > 1):
        raise InvalidRequest(
            f"a .npy of {descr!r:.40} is not read here; send C order and one of {', '.join(_NPY)}"
        )
    from coldpress.protocols.oip.binary import unpack

    tensor = unpack(info.name, _NPY[descr], shape, memoryview(body)[start + length :], settings.max_elements)
    return tensor if tensor.datatype == info.datatype else _converted(tensor, info, settings)


def _converted(tensor: Tensor, info: TensorInfo, settings: Settings) -> Tensor:
    """NumPy's default float64 and int64, as the model's datatype; every other difference is an error."""
    both_float = tensor.datatype.startswith("FP") and info.datatype.startswith("FP")
    both_whole = "INT" in tensor.datatype and "INT" in info.datatype
    if not (both_float or both_whole) or not DATATYPES[tensor.datatype].typecode:
        raise InvalidRequest(f"input {info.name!r} takes {info.datatype}, the .npy holds {tensor.datatype}")
    from coldpress.protocols.values import json_values

    return pack(info.name, info.datatype, list(tensor.shape), json_values(tensor), settings.max_elements)

"""Plain bodies that are neither text nor JSON: CSV, NumPy's .npy, images and other raw bytes.

Nothing is decoded that the model can decode itself: to a model that takes bytes an image is the bytes that
came. To one that takes pixels it is those.
"""

from coldpress.errors import InvalidRequest
from coldpress.protocols.oip.binary import unpack
from coldpress.protocols.plain import batched, only_input
from coldpress.protocols.plain import tensors_of as rows_to_tensors
from coldpress.protocols.values import check_lengths, numbers_of, pack
from coldpress.registry import Manifest, TensorInfo
from coldpress.settings import Settings
from coldpress.tensors import Tensor
from coldpress.typed import Any

TYPES = (
    "application/json, text/plain, text/csv, application/x-npy, "
    "image/jpeg, image/png, application/octet-stream"
)
RAW = ("image/", "audio/", "application/octet-stream")
MAX_NPY_HEADER = 10_000
"""Bytes; NumPy's own limit. The header is Python source, whose parser is not made for more."""
MISSING = frozenset({"", "na", "n/a", "null", "none"})
"""What stands for a missing number in CSV, in small letters, as in files to train on."""
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
    if kind.startswith("image/"):
        from coldpress.protocols import pictures

        if pictures.takes_pixels(info):
            return [pictures.decode(body, info, settings)]
    if kind.startswith(RAW):
        return [_raw(kind, body, info, settings)]
    raise InvalidRequest(f"bodies of type {kind!r:.60} are not read here; send {TYPES}")


def _raw(kind: str, body: bytes, info: TensorInfo, settings: Settings) -> Tensor:
    single = all(length in (-1, 1) for length in info.shape)
    if info.datatype == "BYTES" and single:
        check_lengths(info.name, [body], settings)
        return Tensor(info.name, "BYTES", (1,) * len(info.shape), [body])
    if info.datatype == "UINT8" and single and info.shape.count(-1) == 1:
        shape = [len(body) if length < 0 else 1 for length in info.shape]
        return unpack(info.name, "UINT8", shape, memoryview(body), settings)
    raise InvalidRequest(
        f"the model takes {info.datatype} of shape {list(info.shape)}, not the bytes of {kind}: "
        "put the decoder into its graph, or send the numbers as JSON or application/x-npy"
    )


def _csv(body: bytes, manifest: Manifest, settings: Settings) -> list[Tensor]:
    """With a header of input names a column each; without one, the cells of a line are one row."""
    import csv
    import io

    # The module's own limit is below those of strings and bodies, which hold already or are looked at later.
    csv.field_size_limit(settings.max_body_bytes)
    try:
        # Spreadsheets put a byte-order mark in front.
        text = io.StringIO(body.decode("utf-8-sig"), newline="")
        lines = [line for line in csv.reader(text, strict=True) if line]
    except (UnicodeDecodeError, csv.Error) as error:
        raise InvalidRequest(f"the body is no CSV in UTF-8: {error}") from None
    names = {info.name: info for info in manifest.inputs}
    if not lines:
        raise InvalidRequest("there is no row in the body; send at least one")
    if len(names) > 1 or lines[0] == list(names):
        _check_header(lines[0], names, manifest.model)
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
        scalar = len(info.shape) == batched(info)
        cells = [row[0] if scalar and len(row) == 1 else row for row in values]
    return rows_to_tensors(cells, manifest, settings)


def _check_header(header: list[str], names: dict[str, TensorInfo], model: str) -> None:
    if not any(name in names for name in header):
        raise InvalidRequest(
            f"{model} has several inputs; the CSV needs a first line that names them: {', '.join(names)}"
        )
    for name in header:
        if name not in names:
            raise InvalidRequest(
                f"the CSV header has {name!r:.60}, and {model} has no such input; it has {', '.join(names)}"
            )
        if header.count(name) > 1:
            raise InvalidRequest(f"the CSV header has {name!r:.60} more than once")
    for name in names:
        if name not in header:
            raise InvalidRequest(f"the CSV header lacks the input {name!r:.60} of {model}")


def _cell(info: TensorInfo, text: str, number: int) -> Any:
    if info.datatype == "BYTES":
        return text
    try:
        if info.datatype == "BOOL":
            return {"true": True, "1": True, "false": False, "0": False}[text.strip().lower()]
        if "_" in text:
            raise ValueError  # noqa: TRY301 - Python's own digit groups, not CSV's
        if not info.datatype.startswith(("FP", "BF")):
            return int(text)
        return float("nan" if text.strip().lower() in MISSING else text)
    except (ValueError, KeyError):
        raise InvalidRequest(
            f"CSV row {number}: {text!r:.60} is no {info.datatype} for {info.name!r}"
        ) from None


def _npy(body: bytes, info: TensorInfo, settings: Settings) -> Tensor:
    """NumPy's own format, https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html."""
    if body[:6] != _MAGIC or len(body) < 12:
        raise InvalidRequest("the body is no .npy file")
    start = 12 if body[6] > 1 else 10
    end = start + int.from_bytes(body[8:start], "little")
    if end - start > MAX_NPY_HEADER:
        raise InvalidRequest(f"the .npy header has {end - start} bytes, the limit is {MAX_NPY_HEADER}")
    datatype, shape = _npy_header(body[start:end])
    tensor = unpack(info.name, datatype, shape, memoryview(body)[end:], settings)
    return tensor if tensor.datatype == info.datatype else _converted(tensor, info, settings)


def _npy_header(text: bytes) -> tuple[str, list[int]]:
    import ast

    try:
        header = ast.literal_eval(text.decode("latin-1").strip())
        descr, fortran, shape = header["descr"], header["fortran_order"], list(header["shape"])
    except (ValueError, SyntaxError, KeyError, TypeError, RecursionError, MemoryError) as error:
        raise InvalidRequest(f"the .npy header cannot be read: {error}") from None
    if not all(type(n) is int and n >= 0 for n in shape):
        raise InvalidRequest(f"the .npy header has the shape {shape!r:.80}; it must be whole numbers from 0")
    if not isinstance(descr, str) or descr not in _NPY or (fortran and len(shape) > 1):
        raise InvalidRequest(
            f"a .npy of {descr!r:.40} is not read here; send C order and one of {', '.join(_NPY)}"
        )
    return _NPY[descr], shape


def _converted(tensor: Tensor, info: TensorInfo, settings: Settings) -> Tensor:
    """NumPy's default float64 and int64, as the model's datatype; every other difference is an error."""
    both_float = tensor.datatype.startswith("FP") and info.datatype.startswith("FP")
    both_whole = "INT" in tensor.datatype and "INT" in info.datatype
    if not (both_float or both_whole):
        raise InvalidRequest(f"input {info.name!r} takes {info.datatype}, the .npy holds {tensor.datatype}")
    return pack(info.name, info.datatype, list(tensor.shape), numbers_of(tensor), settings)

"""Plain bodies for people: text or JSON in, `{"predictions": [...]}` out, one entry a row.

A JSON body is one row or a list of rows. A row is an object `{input: value}`, or the bare value
when the model has one input. How deep lists are nested tells a row from a list of rows.
"""

import json
import math
from typing import Any

from coldpress.errors import InvalidRequest, TooLarge, Unprocessable, Unsupported
from coldpress.protocols.oip import parse
from coldpress.protocols.values import flat_of, json_values, pack
from coldpress.registry import Manifest, TensorInfo
from coldpress.settings import Settings
from coldpress.tensors import Tensor

TYPES = "application/json, text/plain"


def decode(body: bytes, content_type: str, manifest: Manifest, settings: Settings) -> list[Tensor]:
    """The tensors in a plain body. Raises `InvalidRequest`, `TooLarge`, `Unsupported`."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/plain":
        return _columns([_text(body)], manifest, settings)
    if kind in ("application/json", "", "application/x-www-form-urlencoded"):
        # curl -d sends the last one when no -H is given.
        value = parse(body)
        return _columns(value if _is_batch(value, manifest) else [value], manifest, settings)
    raise Unsupported(f"bodies of type {kind!r} are not read here; send {TYPES}")


def _text(body: bytes) -> str:
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the text is not UTF-8: {error}") from None


def _is_batch(value: Any, manifest: Manifest) -> bool:
    if not isinstance(value, list):
        return False
    if value and isinstance(value[0], dict):
        return True
    depth, inner = 0, value
    while isinstance(inner, list):
        depth += 1
        inner = inner[0] if inner else None
    return depth > _row_rank(_only_input(manifest))


def _only_input(manifest: Manifest) -> TensorInfo:
    if len(manifest.inputs) != 1:
        names = ", ".join(info.name for info in manifest.inputs)
        raise InvalidRequest(f"{manifest.model} has several inputs: send an object with {names}")
    return manifest.inputs[0]


def _row_rank(info: TensorInfo) -> int:
    return max(len(info.shape) - 1, 0) if _batched(info) else len(info.shape)


def _batched(info: TensorInfo) -> bool:
    return bool(info.shape) and info.shape[0] in (-1, 1)


def _columns(rows: list[Any], manifest: Manifest, settings: Settings) -> list[Tensor]:
    if not rows:
        raise InvalidRequest("there is no row in the body; send at least one")
    if len(rows) > settings.max_rows:
        raise TooLarge(
            f"the body has {len(rows)} rows, the limit is {settings.max_rows}; send fewer at a time"
        )
    return [_column(info, rows, manifest, settings) for info in manifest.inputs]


def _column(info: TensorInfo, rows: list[Any], manifest: Manifest, settings: Settings) -> Tensor:
    values: list[Any] = []
    row_shape: list[int] | None = None
    for number, row in enumerate(rows):
        value = _value(row, info, manifest, number)
        shape = _shape_of(value)
        if row_shape is not None and shape != row_shape:
            raise InvalidRequest(
                f"input {info.name!r}: row {number} has the shape {shape}, row 0 has {row_shape}"
            )
        row_shape = shape
        values += flat_of(value, info.name, settings.max_json_depth)
    shape = [len(rows), *(row_shape or [])] if _batched(info) else (row_shape or [])
    if not _batched(info) and len(rows) > 1:
        raise InvalidRequest(
            f"{manifest.model} takes one row at a time (input {info.name!r} has no batch dimension)"
        )
    return pack(info.name, info.datatype, shape, values, settings.max_elements)


def _value(row: Any, info: TensorInfo, manifest: Manifest, number: int) -> Any:
    if not isinstance(row, dict):
        _only_input(manifest)
        return row
    known = {other.name for other in manifest.inputs}
    unknown = sorted(set(row) - known)
    if unknown:
        raise InvalidRequest(
            f"row {number}: {manifest.model} has no input {unknown[0]!r:.60}; it has {sorted(known)}"
        )
    if info.name not in row:
        raise InvalidRequest(f"row {number}: the input {info.name!r} is missing")
    return row[info.name]


def _shape_of(value: Any) -> list[int]:
    shape = []
    while isinstance(value, list):
        shape.append(len(value))
        value = value[0] if value else None
    return shape


def encode(manifest: Manifest, outputs: list[Tensor]) -> bytes:
    """One prediction a row: each output under its name, and with labels the best label and its score.

    Raises:
        Unprocessable: NaN or infinity, which JSON has no word for.
    """
    rows = max((tensor.shape[0] for tensor in outputs if tensor.shape), default=1)
    columns = {tensor.name: _rows(tensor, rows) for tensor in outputs}
    predictions = [{name: column[i] for name, column in columns.items()} for i in range(rows)]
    _add_labels(predictions, manifest, outputs)
    try:
        return json.dumps({"predictions": predictions}, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        raise Unprocessable(
            "the answer holds NaN or infinity, which JSON cannot say; use the /v2 route with binary output"
        ) from None


def _rows(tensor: Tensor, rows: int) -> list[Any]:
    values = json_values(tensor)
    if not tensor.shape or tensor.shape[0] != rows:
        return [_nest(values, tensor.shape)] * rows
    step = math.prod(tensor.shape[1:])
    return [_nest(values[i * step : (i + 1) * step], tensor.shape[1:]) for i in range(rows)]


def _nest(values: list[Any], shape: tuple[int, ...]) -> Any:
    if not shape:
        return values[0]
    if len(shape) == 1:
        return values
    step = math.prod(shape[1:])
    return [_nest(values[i * step : (i + 1) * step], shape[1:]) for i in range(shape[0])]


def _add_labels(predictions: list[dict[str, Any]], manifest: Manifest, outputs: list[Tensor]) -> None:
    """With labels known, an output of one score a class becomes `{label: score}`."""
    for tensor in outputs:
        scores = (
            len(tensor.shape) == 2 and tensor.shape[1] == len(manifest.labels) and tensor.datatype[:2] == "FP"
        )
        if not manifest.labels or not scores:
            continue
        for prediction in predictions:
            row = prediction[tensor.name]
            best = max(range(len(row)), key=row.__getitem__)
            prediction[tensor.name] = dict(zip(manifest.labels, row, strict=True))
            prediction.setdefault("label", manifest.labels[best])
            prediction.setdefault("score", row[best])

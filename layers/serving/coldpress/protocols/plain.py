"""Plain bodies for people: the raw thing in, `{"predictions": [...]}` out, one entry a row.

text/plain is one row of text. JSON is one row or a list of rows; a row is an object
`{input: value}`, or the bare value when the model has one input, and how deep its lists are
nested tells a row from a list of rows. CSV, .npy and images are in `media`.
"""

import json
from typing import Any

from coldpress.errors import InvalidRequest, TooLarge, Unprocessable
from coldpress.gateway import Request, Response
from coldpress.protocols.inference import Inference
from coldpress.protocols.nesting import nest, rectangle
from coldpress.protocols.values import json_values, pack, parse
from coldpress.registry import Manifest, TensorInfo
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.tensors import Tensor

# curl -d sends the last one when no -H is given.
_JSON = frozenset({"application/json", "", "application/x-www-form-urlencoded"})


def decode(request: Request, _route: Route, manifest: Manifest, settings: Settings) -> Inference:
    """The tensors in a plain body. Raises `InvalidRequest`, `TooLarge`."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind in _JSON:
        value = parse(request.body)
        return Inference(
            tensors_of(value if _is_batch(value, manifest) else [value], manifest, settings), None
        )
    if kind == "text/plain":
        return Inference(tensors_of([_text(request.body)], manifest, settings), None)
    from coldpress.protocols import media

    return Inference(media.tensors_of(kind, request.body, manifest, settings), None)


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
    depth = 0
    inner: Any = value
    while isinstance(inner, list):
        depth += 1
        inner = inner[0] if inner else None
    info = only_input(manifest)
    return depth > len(info.shape) - batched(info)


def only_input(manifest: Manifest) -> TensorInfo:
    """The model's one input. Raises `InvalidRequest` when it has several."""
    if len(manifest.inputs) != 1:
        names = ", ".join(info.name for info in manifest.inputs)
        raise InvalidRequest(
            f"{manifest.model} has several inputs; send JSON objects that name them: {names}"
        )
    return manifest.inputs[0]


def batched(info: TensorInfo) -> bool:
    """Whether the first dimension counts rows: it is variable, or fixed at one."""
    return bool(info.shape) and info.shape[0] in (-1, 1)


def tensors_of(rows: list[Any], manifest: Manifest, settings: Settings) -> list[Tensor]:
    """Rows of JSON values as the model's inputs. Raises `InvalidRequest`, `TooLarge`."""
    if not rows:
        raise InvalidRequest("there is no row in the body; send at least one")
    if len(rows) > settings.max_rows:
        raise TooLarge(
            f"the body has {len(rows)} rows, the limit is {settings.max_rows}; send fewer at a time"
        )
    return [_column(info, rows, manifest, settings) for info in manifest.inputs]


def _column(info: TensorInfo, rows: list[Any], manifest: Manifest, settings: Settings) -> Tensor:
    column = [_value(row, info, manifest, number) for number, row in enumerate(rows)]
    shape, values = rectangle(column, info.name, settings.max_json_depth)
    if not batched(info):
        if len(rows) > 1:
            raise InvalidRequest(
                f"{manifest.model} takes one row at a time: {info.name!r} has no batch dimension"
            )
        shape = shape[1:]
    return pack(info.name, info.datatype, shape, values, settings.max_elements)


def _value(row: Any, info: TensorInfo, manifest: Manifest, number: int) -> Any:
    if not isinstance(row, dict):
        only_input(manifest)
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


def encode(_inference: Inference, manifest: Manifest, tensors: list[Tensor]) -> Response:
    """One prediction a row: each output under its name, and with labels the best label and its score.

    Raises:
        Unprocessable: NaN or infinity, which JSON has no word for.
    """
    rows = max((tensor.shape[0] for tensor in tensors if tensor.shape), default=1)
    columns = {tensor.name: _rows(tensor, rows) for tensor in tensors}
    predictions = [{name: column[i] for name, column in columns.items()} for i in range(rows)]
    _add_labels(predictions, manifest, tensors)
    try:
        text = json.dumps({"predictions": predictions}, ensure_ascii=False, allow_nan=False)
    except ValueError:
        raise Unprocessable(
            "the answer holds NaN or infinity, which JSON cannot say; "
            f"ask POST /v2/models/{manifest.model}/infer for binary output"
        ) from None
    return Response(200, {"content-type": "application/json"}, text.encode())


def _rows(tensor: Tensor, rows: int) -> list[Any]:
    values = nest(json_values(tensor), tensor.shape)
    # An output without a row for each input row belongs to all of them.
    return values if tensor.shape and tensor.shape[0] == rows else [values] * rows


def _add_labels(predictions: list[dict[str, Any]], manifest: Manifest, tensors: list[Tensor]) -> None:
    """With labels known, an output of one score a class becomes `{label: score}`."""
    for tensor in tensors:
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

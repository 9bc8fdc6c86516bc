"""Plain bodies for people: the raw thing in, `{"predictions": [...]}` out, one entry a row.

text/plain is one row of text. JSON is one row or a list of rows; a row is an object
`{input: value}`, or the bare value when the model has one input, and how deep its lists are
nested tells a row from a list of rows; null is a missing number, NaN. CSV, .npy and images are in `media`.
"""

from coldpress.errors import InvalidRequest, TooLarge, Unprocessable
from coldpress.gateway import Request, Response
from coldpress.protocols.inference import Inference
from coldpress.protocols.nesting import rectangle
from coldpress.protocols.values import is_keys, nested_values, pack, parse, refuse_unanswerable, to_json
from coldpress.registry import Manifest, TensorInfo
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.tensors import Tensor, element_count
from coldpress.typed import Any

# curl -d sends the last one when no -H is given.
_NAN = float("nan")
_JSON = frozenset({"application/json", "", "application/x-www-form-urlencoded"})


def decode(request: Request, _route: Route, manifest: Manifest, settings: Settings) -> Inference:
    """The tensors in a plain body. Raises `InvalidRequest`, `TooLarge`."""
    given = request.headers.get("content-type", "").lower()
    kind = given.partition(";")[0].strip()
    raw = False
    if kind in _JSON:
        value = parse(request.body)
        tensors = tensors_of(value if _is_batch(value, manifest) else [value], manifest, settings)
    elif kind == "text/plain":
        tensors = tensors_of([_text(request.body, given)], manifest, settings)
    else:
        from coldpress.protocols import media

        tensors = media.tensors_of(kind, request.body, manifest, settings)
        raw = kind.startswith(media.RAW)
    return Inference(tensors, None, _row_count(tensors, manifest, settings, raw))


def _text(body: bytes, content_type: str) -> str:
    charset = content_type.partition("charset=")[2].partition(";")[0].strip(' "')
    if charset not in ("", "utf-8", "utf8", "us-ascii"):
        raise InvalidRequest(f"text in {charset!r:.40} is not read here; send UTF-8")
    try:
        return body.decode()
    except UnicodeDecodeError as error:
        raise InvalidRequest(f"the text is not UTF-8: {error}") from None


def _row_count(tensors: list[Tensor], manifest: Manifest, settings: Settings, raw: bool) -> int | None:
    """How many rows the body has; None when the model takes no batch, so that there is but one answer."""
    for tensor, info in zip(tensors, manifest.inputs, strict=True):
        # A file is one thing, not as many rows as it has bytes or a picture has lines; in four dimensions the
        # first one is a batch of pictures.
        one_file = raw and info.datatype == "UINT8" and info.shape[:1] == (-1,) and len(info.shape) < 4
        if batched(info) and tensor.shape and not one_file:
            _check_rows(tensor.shape[0], settings)
            return tensor.shape[0]
    return None


def _check_rows(rows: int, settings: Settings) -> None:
    if rows > settings.max_rows:
        raise TooLarge(f"the body has {rows} rows, the limit is {settings.max_rows}; send fewer at a time")


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
    _check_rows(len(rows), settings)
    return [_column(info, rows, manifest, settings) for info in manifest.inputs]


def _column(info: TensorInfo, rows: list[Any], manifest: Manifest, settings: Settings) -> Tensor:
    column = [_value(row, info, manifest, number) for number, row in enumerate(rows)]
    shape, values = rectangle(column, info.name, settings.max_json_depth)
    if batched(info) and len(shape) == 1 and set(info.shape[1:]) == {1}:
        shape += info.shape[1:]  # a column of single values, as scikit-learn's converters declare it
    if not batched(info):
        if len(rows) > 1:
            raise InvalidRequest(
                f"{manifest.model} takes one row at a time: {info.name!r} has no batch dimension"
            )
        shape = shape[1:]
    try:
        return pack(info.name, info.datatype, shape, values, settings)
    except InvalidRequest:
        # Looked for only now: no row without a null pays for it.
        if info.datatype[:2] != "FP" or None not in values:
            raise
    known = [_NAN if value is None else value for value in values]
    return pack(info.name, info.datatype, shape, known, settings)


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


def encode(inference: Inference, manifest: Manifest, tensors: list[Tensor]) -> Response:
    """One prediction a row: each output under its name, and with labels the best label and its score.

    Raises:
        TooLarge: more values than an answer can hold.
        Unprocessable: NaN or infinity, which JSON has no word for.
    """
    rows: int | None = inference.form
    predictions: list[dict[str, Any]] = [{} for _ in range(1 if rows is None else rows)]
    for tensor in tensors:
        own = rows is not None and has_rows(tensor, rows, manifest)
        column = nested_values(tensor)
        if not own:
            # An output without a row for each input row belongs to all of them.
            refuse_unanswerable(tensor.name, element_count(tensor.shape) * len(predictions))
            column = [column] * len(predictions)
        row_shape = tensor.shape[1:] if own else tensor.shape
        labels = manifest.labels
        scored = labels and tensor.datatype[:2] == "FP" and row_shape == (len(labels),)
        for prediction, value in zip(predictions, column, strict=True):
            prediction[tensor.name] = _labelled(prediction, value, labels) if scored else value
    try:
        body = to_json({"predictions": predictions}, allow_nan=False)
    except ValueError:
        raise Unprocessable(
            "the answer holds NaN or infinity, which JSON cannot say; "
            f"ask POST /v2/models/{manifest.model}/infer for binary output"
        ) from None
    return Response(200, {"content-type": "application/json"}, body)


def has_rows(tensor: Tensor, rows: int, manifest: Manifest) -> bool:
    """Whether an output has a row for each of the input's: the length alone would tell another tale where it
    happens to be the same. What the model declares decides, unless the answer shows that it is not so."""
    if tensor.shape[:1] != (rows,) or is_keys(tensor.name, manifest):
        return False
    names = (tensor.name, f"{tensor.name.rpartition('.')[0]}.*")  # a sequence's parts are declared as one
    declared = next((info.shape for info in manifest.outputs if info.name in names), ())
    if len(declared) != len(tensor.shape) or declared[0] not in (-1, rows):
        return True
    fixed = next((info.shape[0] == 1 for info in manifest.inputs if batched(info)), False)
    return declared[0] == 1 or (declared[0] < 0 and not fixed)


def _labelled(prediction: dict[str, Any], scores: list[float], labels: tuple[str, ...]) -> Any:
    """`{label: score}`; the first such output gives the prediction its label and score."""
    best = max(range(len(scores)), key=scores.__getitem__)
    prediction.setdefault("label", labels[best])
    prediction.setdefault("score", scores[best])
    # A label that is used twice would hide one of its scores.
    return dict(zip(labels, scores, strict=True)) if len(set(labels)) == len(labels) else scores

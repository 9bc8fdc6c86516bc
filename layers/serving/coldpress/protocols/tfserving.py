"""TensorFlow Serving's REST API (v1), and KServe's v1 protocol on the same routes.

Values may be `{"b64": …}` for bytes at any depth; outputs named `*_bytes` come back so.

https://github.com/tensorflow/serving/blob/master/tensorflow_serving/g3doc/api_rest.md
"""

import struct
from collections.abc import Sequence

from coldpress.errors import InvalidRequest, TooLarge
from coldpress.gateway import Request, Response
from coldpress.protocols.inference import Inference
from coldpress.protocols.nesting import nest, rectangle
from coldpress.protocols.values import is_keys, json_values, nested_values, pack, parse, to_json
from coldpress.registry import Manifest, TensorInfo
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.tensors import Tensor
from coldpress.typed import Any

SIGNATURE = "serving_default"
_DTYPES = {
    "BOOL": "DT_BOOL",
    "BYTES": "DT_STRING",
    "FP16": "DT_HALF",
    "BF16": "DT_BFLOAT16",
    "FP32": "DT_FLOAT",
    "FP64": "DT_DOUBLE",
}
# Whole numbers up to here are all exact; `struct` says which of the larger ones are, by its letter.
_EXACT = {"FP16": (2**11, "<e"), "FP32": (2**24, "<f"), "FP64": (2**53, "<d")}


def decode(request: Request, route: Route, manifest: Manifest, settings: Settings) -> Inference:
    """The tensors of `:predict`, `:classify` or `:regress`. Raises `InvalidRequest`, `TooLarge`."""
    body = parse(request.body, exact=True)  # whole numbers that lose precision are refused
    if not isinstance(body, dict):
        raise InvalidRequest('the body must be a JSON object, such as {"instances": [...]}')
    asked = body.get("signature_name", SIGNATURE)
    if asked not in ("", SIGNATURE):
        raise InvalidRequest(f"there is no signature {asked!r:.60}; the only one is {SIGNATURE!r}")
    if route.action == "predict":
        columns, form = _predict(body, manifest, settings)
    else:
        columns, form = _examples(body, manifest, settings), route.action
    return Inference([_tensor(info, columns[info.name], settings) for info in manifest.inputs], None, form)


def _predict(request: dict[str, Any], manifest: Manifest, settings: Settings) -> tuple[dict[str, Any], str]:
    given = [key for key in ("instances", "inputs") if key in request]
    if len(given) != 1:
        raise InvalidRequest(
            f'give either "instances" (rows) or "inputs" (columns); got {given or "neither"}'
        )
    if given == ["inputs"]:
        value = request["inputs"]
        if _is_object(value):
            return _known(value, {info.name for info in manifest.inputs}, manifest, "inputs"), "column"
        return {_only(manifest): value}, "column"
    return _rows(request["instances"], manifest, settings, "instances"), "row"


def _rows(rows: Any, manifest: Manifest, settings: Settings, what: str) -> dict[str, Any]:
    if not isinstance(rows, list) or not rows:
        raise InvalidRequest(f'"{what}" must be a list of at least one row')
    if len(rows) > settings.max_rows:
        raise TooLarge(
            f'"{what}" has {len(rows)} rows, the limit is {settings.max_rows}; send fewer at a time'
        )
    objects = [_is_object(row) for row in rows]
    if not any(objects):
        return {_only(manifest): rows}
    if not all(objects):
        raise InvalidRequest(f'"{what}" mixes objects and bare values')
    names = {info.name for info in manifest.inputs}
    checked = [_known(row, names, manifest, f"{what}[{number}]") for number, row in enumerate(rows)]
    return {name: [row[name] for row in checked] for name in names}


def _examples(request: dict[str, Any], manifest: Manifest, settings: Settings) -> dict[str, Any]:
    context, examples = request.get("context", {}), request.get("examples")
    if not isinstance(context, dict):
        raise InvalidRequest('"context" must be an object of features that all examples share')
    if not isinstance(examples, list) or not all(isinstance(example, dict) for example in examples):
        raise InvalidRequest('"examples" must be a list of objects {feature: value}')
    return _rows([context | example for example in examples], manifest, settings, "examples")


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and set(value) != {"b64"}


def _only(manifest: Manifest) -> str:
    if len(manifest.inputs) != 1:
        names = ", ".join(info.name for info in manifest.inputs)
        raise InvalidRequest(f"{manifest.model} has several inputs: name them in an object: {names}")
    return manifest.inputs[0].name


def _known(row: dict[str, Any], names: set[str], manifest: Manifest, where: str) -> dict[str, Any]:
    unknown, missing = sorted(set(row) - names), sorted(names - set(row))
    if unknown:
        raise InvalidRequest(
            f"{where}: {manifest.model} has no input {unknown[0]!r:.60}; it has {sorted(names)}"
        )
    if missing:
        raise InvalidRequest(f"{where}: the input {missing[0]!r} is missing")
    return row


def _tensor(info: TensorInfo, value: Any, settings: Settings) -> Tensor:
    shape, values = rectangle(value, info.name, settings.max_json_depth)
    if info.datatype == "BYTES":
        values = [_bytes(item, info.name) for item in values]
    tensor = pack(info.name, info.datatype, shape, values, settings)
    if info.datatype in _EXACT:
        _refuse_lossy(values, info)
    return tensor


def _bytes(item: Any, name: str) -> Any:
    if not isinstance(item, dict):
        return item
    from binascii import Error

    try:
        if len(item) == 1:
            return _from_base64(item["b64"])
        reason = f"it has {len(item)} keys"
    except KeyError:
        reason = "it has another key"
    except (TypeError, ValueError, Error) as error:
        reason = str(error)
    raise InvalidRequest(f'input {name!r}: an object must be {{"b64": base64 text}}: {reason:.200}')


def _from_base64(text: str) -> bytes:
    """As TensorFlow Serving takes it: also in lines, as MIME has it, and without any padding."""
    from binascii import Error, a2b_base64

    try:
        return a2b_base64(text, strict_mode=True)
    except Error:
        bare = "".join(text.split())
        padding = "" if "=" in bare else "=" * (-len(bare) % 4)
        return a2b_base64(bare + padding, strict_mode=True)


def _refuse_lossy(values: list[Any], info: TensorInfo) -> None:
    """TensorFlow Serving refuses whole numbers that a float cannot hold; fractions are rounded, as always."""
    exact, letter = _EXACT[info.datatype]
    for value in [n for n in values if type(n) is int and not -exact <= n <= exact]:
        if struct.unpack(letter, struct.pack(letter, value))[0] != value:
            raise InvalidRequest(f"input {info.name!r}: {value!r:.60} loses precision as {info.datatype}")


# ------------------------------------------------------------------------------ answers
def encode(inference: Inference, manifest: Manifest, tensors: list[Tensor]) -> Response:
    """The answer, by the request's form: `row`, `column`, `classify` or `regress`.

    Raises:
        InvalidRequest: the outputs do not fit the form.
    """
    answer = _answer(inference.form, manifest, tensors)
    return Response(200, {"content-type": "application/json"}, to_json(answer))


def _answer(form: str, manifest: Manifest, outputs: list[Tensor]) -> dict[str, Any]:
    if form == "classify":
        return {"results": _classes(manifest, outputs)}
    if form == "regress":
        return {"results": _regressions(outputs)}
    values = {tensor.name: _json(tensor) for tensor in outputs}
    if form == "column":
        return {"outputs": next(iter(values.values())) if len(values) == 1 else values}
    common = {name: value for name, value in values.items() if is_keys(name, manifest)}
    own = [tensor for tensor in outputs if tensor.name not in common]
    lengths = {tensor.shape[0] if tensor.shape else None for tensor in own}
    if len(lengths) != 1 or None in lengths:
        shapes = {tensor.name: list(tensor.shape) for tensor in own}
        raise InvalidRequest(f'the outputs {shapes} share no first dimension; ask by columns, with "inputs"')
    if len(values) == 1:
        return {"predictions": next(iter(values.values()))}
    rows = range(own[0].shape[0])
    columns = {name: [value] * len(rows) if name in common else value for name, value in values.items()}
    return {"predictions": [{name: column[row] for name, column in columns.items()} for row in rows]}


def _json(tensor: Tensor) -> Any:
    if tensor.name.endswith("_bytes") and isinstance(tensor.data, list):
        from binascii import b2a_base64

        encoded = [{"b64": b2a_base64(item, newline=False).decode()} for item in tensor.data]
        return nest(encoded, tensor.shape)
    return nested_values(tensor)


def _classes(manifest: Manifest, outputs: list[Tensor]) -> list[list[list[Any]]]:
    scores = next((t for t in outputs if len(t.shape) == 2 and t.datatype[:2] == "FP"), None)
    if scores is None:
        raise InvalidRequest(
            f"{manifest.model} cannot classify: it has no float output of shape [batch, classes]"
        )
    classes = scores.shape[1]
    keys = next((t for t in outputs if t.name == f"{scores.name}.keys"), None)
    labels: Sequence[str] = manifest.labels
    if len(labels) != classes:
        labels = [str(key) for key in (range(classes) if keys is None else json_values(keys))]
    return [[[label, score] for label, score in zip(labels, row, strict=True)] for row in _json(scores)]


def _regressions(outputs: list[Tensor]) -> list[Any]:
    for tensor in outputs:
        if tensor.datatype[:2] == "FP" and tensor.shape and len(json_values(tensor)) == tensor.shape[0]:
            return json_values(tensor)
    raise InvalidRequest("the model cannot regress: it has no float output of one value a row")


def status(manifest: Manifest, versions: list[int]) -> dict[str, Any]:
    """`GET /v1/models/{m}`: TensorFlow Serving's list and KServe's two fields in one object."""
    rows = [
        {
            "version": str(version),
            "state": "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        for version in versions
    ]
    return {"model_version_status": rows, "name": manifest.model, "ready": True}


def signature(manifest: Manifest) -> dict[str, Any]:
    """`GET /v1/models/{m}/metadata`: the signature, from the graph."""
    described = {
        "inputs": {info.name: _signature_of(info) for info in manifest.inputs},
        "outputs": {info.name: _signature_of(info) for info in manifest.outputs},
        "method_name": "tensorflow/serving/predict",
    }
    return {
        "model_spec": {"name": manifest.model, "signature_name": "", "version": str(manifest.version)},
        "metadata": {"signature_def": {"signature_def": {SIGNATURE: described}}},
    }


def _signature_of(info: TensorInfo) -> dict[str, Any]:
    dims = [{"size": str(length), "name": ""} for length in info.shape]
    return {
        "name": info.name,
        "dtype": _DTYPES.get(info.datatype, f"DT_{info.datatype}"),
        "tensor_shape": {"dim": dims, "unknown_rank": False},
    }

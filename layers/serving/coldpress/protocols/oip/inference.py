"""Inference requests and answers: a JSON part, and binary tensors behind it where asked for."""

import json
from typing import Any, NamedTuple

from coldpress.errors import InvalidRequest, Unprocessable
from coldpress.gateway import Request, Response
from coldpress.protocols.inference import Inference
from coldpress.protocols.values import flat_of, json_values, pack, parse
from coldpress.registry import Manifest
from coldpress.routes import Route
from coldpress.settings import Settings
from coldpress.tensors import Tensor

LENGTH_HEADER = "inference-header-content-length"
BINARY = "application/octet-stream"


class Output(NamedTuple):
    """How one output is to be answered."""

    name: str
    binary: bool
    classes: int | None
    """The k of the classification extension."""


class Form(NamedTuple):
    """What the answer must repeat or keep to."""

    id: str | None
    outputs: tuple[Output, ...]
    """As asked for; none: all of them."""
    binary: bool
    """For outputs that say nothing themselves."""


def decode(request: Request, _route: Route, manifest: Manifest, settings: Settings) -> Inference:
    """The inference request in a body. Raises `InvalidRequest`, `TooLarge`."""
    header = request.headers.get(LENGTH_HEADER)
    if header is None:
        return _decode(parse(request.body), None, settings)
    from coldpress.protocols.oip import binary

    text, data = binary.split(request.body, header)
    if not text:
        tensor = binary.raw_input(manifest, data, settings.max_elements)
        return Inference([tensor], None, Form(None, (), binary=True))
    reader = binary.Reader(data)
    inference = _decode(parse(text), reader, settings)
    reader.finish()
    return inference


def _decode(body: Any, reader: Any, settings: Settings) -> Inference:
    if not isinstance(body, dict):
        raise InvalidRequest(
            'the body must be a JSON object: {"inputs": [{"name", "shape", "datatype", "data"}]}'
        )
    request_id = body.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise InvalidRequest(f"id must be text, not {request_id!r:.40}")
    binary = _parameters(body, "the request").get("binary_data_output", False) is True
    outputs = _outputs(body.get("outputs"), binary)
    names = [output.name for output in outputs] or None
    return Inference(tensors_of(body, settings, reader), names, Form(request_id, outputs, binary))


def tensors_of(body: dict[str, Any], settings: Settings, reader: Any = None) -> list[Tensor]:
    """The tensors under `inputs`; binary ones are taken from `reader` in their order.

    Raises `InvalidRequest`, `TooLarge`.
    """
    inputs = body.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise InvalidRequest('"inputs" must be a list of tensors: [{"name", "shape", "datatype", "data"}]')
    tensors = [_tensor(row, settings, reader) for row in inputs]
    if len({tensor.name for tensor in tensors}) < len(tensors):
        raise InvalidRequest("an input is given twice; each name may appear once")
    return tensors


def _tensor(row: Any, settings: Settings, reader: Any) -> Tensor:
    if not isinstance(row, dict):
        raise InvalidRequest('each input must be an object: {"name", "shape", "datatype", "data"}')
    for field in ("name", "shape", "datatype"):
        if field not in row:
            raise InvalidRequest(f"input {row.get('name', '?')!r:.60} has no {field!r}")
    name, shape, datatype = row["name"], row["shape"], row["datatype"]
    if not isinstance(name, str) or not isinstance(datatype, str):
        raise InvalidRequest(
            f"an input's name and datatype must be text; got {name!r:.40} and {datatype!r:.40}"
        )
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise InvalidRequest(
            f"input {name!r}: shape must be a list of whole numbers from 0, not {shape!r:.80}"
        )
    size = _parameters(row, f"input {name!r}").get("binary_data_size")
    if size is None:
        if "data" not in row:
            raise InvalidRequest(f"input {name!r} has neither 'data' nor a binary_data_size")
        return pack(
            name, datatype, shape, flat_of(row["data"], name, settings.max_json_depth), settings.max_elements
        )
    if "data" in row:
        raise InvalidRequest(f"input {name!r} has both 'data' and a binary_data_size; give one")
    if reader is None:
        raise InvalidRequest(
            f"input {name!r} has a binary_data_size, but the header {LENGTH_HEADER} is missing"
        )
    from coldpress.protocols.oip.binary import unpack

    return unpack(name, datatype, shape, reader.take(name, size), settings.max_elements)


def _parameters(row: dict[str, Any], where: str) -> dict[str, Any]:
    parameters = row.get("parameters")
    if parameters is None:
        return {}
    if not isinstance(parameters, dict):
        raise InvalidRequest(f"{where}: parameters must be an object, not {parameters!r:.40}")
    return parameters


def _outputs(rows: Any, binary: bool) -> tuple[Output, ...]:
    if rows is None:
        return ()
    if not isinstance(rows, list) or not all(
        isinstance(r, dict) and isinstance(r.get("name"), str) for r in rows
    ):
        raise InvalidRequest('"outputs" must be a list of objects with a name: [{"name": "scores"}]')
    outputs = []
    for row in rows:
        parameters = _parameters(row, f"output {row['name']!r}")
        asked = parameters.get("binary_data", binary) is True
        outputs.append(Output(row["name"], asked, parameters.get("classification")))
    if len({output.name for output in outputs}) < len(outputs):
        raise InvalidRequest("an output is asked for twice; each name may appear once")
    return tuple(outputs)


def encode(inference: Inference, manifest: Manifest, tensors: list[Tensor]) -> Response:
    """The answer; the request's id is echoed, binary outputs follow the JSON part in their order.

    Raises:
        InvalidRequest: a classification that cannot be.
        Unprocessable: an output that JSON cannot say.
    """
    form: Form = inference.form
    wanted = form.outputs or [Output(tensor.name, form.binary, None) for tensor in tensors]
    answer: dict[str, Any] = {"model_name": manifest.model, "model_version": str(manifest.version)}
    if form.id is not None:
        answer["id"] = form.id
    rows, parts = [], []
    for output, tensor in zip(wanted, tensors, strict=True):
        row, part = _row(output, tensor, manifest.labels)
        rows.append(row)
        parts += part
    text = json.dumps(answer | {"outputs": rows}, ensure_ascii=False).encode()
    if not any(output.binary for output in wanted):
        return Response(200, {"content-type": "application/json"}, text)
    headers = {"content-type": BINARY, LENGTH_HEADER: str(len(text))}
    return Response(200, headers, b"".join([text, *parts]))


def _row(output: Output, tensor: Tensor, labels: tuple[str, ...]) -> tuple[dict[str, Any], list[Any]]:
    if output.classes is not None:
        from coldpress.protocols.oip.classification import top

        tensor = top(tensor, output.classes, labels)
    row: dict[str, Any] = {"name": tensor.name, "datatype": tensor.datatype, "shape": list(tensor.shape)}
    if output.binary:
        from coldpress.protocols.oip.binary import to_bytes

        data = to_bytes(tensor)
        return row | {"parameters": {"binary_data_size": len(data)}}, [data]
    if tensor.datatype == "BF16":
        raise Unprocessable(
            f"output {tensor.name!r}: BF16 has no JSON form; ask for it as binary tensor data"
        )
    return row | {"data": json_values(tensor)}, []

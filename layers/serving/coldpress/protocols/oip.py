"""Open Inference Protocol, JSON encoding: inference requests and answers, and a model's metadata.

https://github.com/kserve/open-inference-protocol
"""

import json
from typing import Any, NamedTuple

from coldpress.errors import InvalidRequest, Unsupported
from coldpress.protocols.values import flat_of, json_values, pack
from coldpress.registry import Manifest
from coldpress.settings import Settings
from coldpress.tensors import Tensor

PLATFORM = "onnxruntime_onnx"
JSON_TYPE = {"content-type": "application/json"}


class Inference(NamedTuple):
    """An inference request."""

    id: str | None
    tensors: list[Tensor]
    outputs: list[str] | None
    """Names asked for; None: all."""


def decode(body: bytes, settings: Settings) -> Inference:
    """The inference request in a JSON body. Raises `InvalidRequest`, `TooLarge`."""
    request = parse(body)
    if not isinstance(request, dict):
        raise InvalidRequest(
            'the body must be a JSON object: {"inputs": [{"name", "shape", "datatype", "data"}]}'
        )
    request_id = request.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise InvalidRequest(f"id must be text, not {request_id!r:.40}")
    return Inference(request_id, tensors_of(request, settings), _wanted(request.get("outputs")))


def parse(body: bytes) -> Any:
    """JSON, with bare NaN and Infinity as clients of this protocol send them. Raises `InvalidRequest`."""
    try:
        return json.loads(body)
    except RecursionError:
        raise InvalidRequest("the JSON is nested too deeply") from None
    except ValueError as error:
        raise InvalidRequest(f"the body is no JSON: {error}") from None


def tensors_of(request: dict[str, Any], settings: Settings) -> list[Tensor]:
    """The tensors under `inputs`. Raises `InvalidRequest`, `TooLarge`."""
    inputs = request.get("inputs")
    if not isinstance(inputs, list) or not inputs:
        raise InvalidRequest('"inputs" must be a list of tensors: [{"name", "shape", "datatype", "data"}]')
    tensors = [_tensor(row, settings) for row in inputs]
    names = {tensor.name for tensor in tensors}
    if len(names) < len(tensors):
        raise InvalidRequest("an input is given twice; each name may appear once")
    return tensors


def _tensor(row: Any, settings: Settings) -> Tensor:
    if not isinstance(row, dict):
        raise InvalidRequest('each input must be an object: {"name", "shape", "datatype", "data"}')
    for field in ("name", "shape", "datatype", "data"):
        if field not in row:
            raise InvalidRequest(f"input {row.get('name', '?')!r} has no {field!r}")
    name, shape, datatype = row["name"], row["shape"], row["datatype"]
    if not isinstance(name, str) or not isinstance(datatype, str):
        raise InvalidRequest(
            f"an input's name and datatype must be text; got {name!r:.40} and {datatype!r:.40}"
        )
    if not isinstance(shape, list) or not all(type(n) is int and n >= 0 for n in shape):
        raise InvalidRequest(
            f"input {name!r}: shape must be a list of whole numbers from 0, not {shape!r:.80}"
        )
    values = flat_of(row["data"], name, settings.max_json_depth)
    return pack(name, datatype, shape, values, settings.max_elements)


def _wanted(outputs: Any) -> list[str] | None:
    if outputs is None or outputs == []:
        return None
    if not isinstance(outputs, list) or not all(
        isinstance(o, dict) and isinstance(o.get("name"), str) for o in outputs
    ):
        raise InvalidRequest('"outputs" must be a list of objects with a name: [{"name": "scores"}]')
    for output in outputs:
        asked = output.get("parameters") or {}
        if asked.get("binary_data") or asked.get("classification"):
            raise Unsupported("this server answers JSON tensors only: drop binary_data and classification")
    return [output["name"] for output in outputs]


def encode(inference: Inference, manifest: Manifest, outputs: list[Tensor]) -> bytes:
    """The JSON answer; the request's id is echoed."""
    answer: dict[str, Any] = {"model_name": manifest.model, "model_version": str(manifest.version)}
    if inference.id is not None:
        answer["id"] = inference.id
    answer["outputs"] = [
        {"name": t.name, "datatype": t.datatype, "shape": list(t.shape), "data": json_values(t)}
        for t in outputs
    ]
    return json.dumps(answer, ensure_ascii=False).encode()


def server_metadata(version: str) -> bytes:
    """`GET /v2`: only the extensions that work are listed."""
    return json.dumps({"name": "coldpress", "version": version, "extensions": []}).encode()


def model_metadata(manifest: Manifest) -> bytes:
    """`GET /v2/models/{m}`."""
    return json.dumps(
        {
            "name": manifest.model,
            "versions": [str(manifest.version)],
            "platform": PLATFORM,
            "inputs": [info._asdict() for info in manifest.inputs],
            "outputs": [info._asdict() for info in manifest.outputs],
        }
    ).encode()


def model_ready(manifest: Manifest) -> bytes:
    """`GET /v2/models/{m}/ready`, when it would answer."""
    return json.dumps({"name": manifest.model, "ready": True}).encode()

"""The requests, as API Gateway's HTTP API hands them to a function (payload format 2.0)."""

import base64
import json
from typing import Any

from numpy.typing import NDArray

from .models import BenchModel
from .world import World


def ours(world: World, model: BenchModel, *, binary: bool) -> bytes:
    """An Open Inference Protocol request; binary ones ask for a binary answer."""
    tensor: dict[str, object] = {
        "name": model.input_name,
        "shape": list(model.input.shape),
        "datatype": {"i": "INT64", "f": "FP32", "O": "BYTES"}[model.input.dtype.kind],
    }
    path, headers = f"/v2/models/{model.name}/infer", {"x-api-key": world.key}
    if not binary:
        tensor["data"] = model.input.ravel().tolist()
        return _event(path, headers, json.dumps({"inputs": [tensor]}))
    data = raw(model.input)
    tensor["parameters"] = {"binary_data_size": len(data)}
    head = json.dumps({"inputs": [tensor], "parameters": {"binary_data_output": True}}).encode()
    headers["inference-header-content-length"] = str(len(head))
    return _event(path, headers, head + data)


def raw(array: NDArray[Any]) -> bytes:
    """A tensor's bytes in the protocol's binary form: a text has its length in front."""
    if array.dtype.kind != "O":
        return array.tobytes()
    texts = [text.encode() for text in array.ravel()]
    return b"".join(len(text).to_bytes(4, "little") + text for text in texts)


def peers(model: BenchModel, *, binary: bool) -> bytes:
    """The same for the functions of the peers."""
    if not binary:
        return _event("/predict", {}, json.dumps({"instances": model.input.tolist()}))
    shape = ",".join(map(str, model.input.shape))
    return _event("/predict-binary", {"x-shape": shape}, model.input.tobytes())


def _event(path: str, headers: dict[str, str], body: str | bytes) -> bytes:
    binary = isinstance(body, bytes)
    text = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    kind = "application/octet-stream" if binary else "application/json"
    http = {
        "method": "POST", "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "bench"
    }  # fmt: skip
    event = {
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": "",
        "headers": {"content-type": kind, "host": "api.example", "content-length": str(len(body)), **headers},
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "api",
            "domainName": "api.example",
            "domainPrefix": "api",
            "http": http,
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "01/Jan/2026:00:00:00 +0000",
            "timeEpoch": 1767225600000,
        },
        "body": text,
        "isBase64Encoded": binary,
    }
    return json.dumps(event).encode()

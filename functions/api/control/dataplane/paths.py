"""The routes of the data plane, as OpenAPI's paths."""

from typing import Any

from coldpress import errors
from control.dataplane.schemas import ref

Item = dict[str, Any]

READ_ERRORS = (400, 401, 403, 404, 500, 503)
BODY_ERRORS = (400, 401, 403, 404, 413, 500, 503)
INFERENCE_ERRORS = (400, 401, 403, 404, 413, 422, 500, 501, 503)
SERVER_ERRORS = (401, 403, 500, 503)

_SECURITY: list[Item] = [{"ApiKey": []}, {"Bearer": []}]
_WORDS = {status: (kind.__doc__ or "").partition("\n")[0] for kind, status in errors.STATUS.items()}
_BINARY: Item = {"type": "string", "format": "binary"}
_EXAMPLE: Item = {"name": "x", "datatype": "FP32", "shape": [1, 3], "data": [0.25, 0.5, 0.125]}


def _headers(*names: str) -> Item:
    fields = {
        "x-request-id": "RequestId",
        "server-timing": "ServerTiming",
        "x-model-version": "ModelVersion",
        "retry-after": "RetryAfter",
        "inference-header-content-length": "HeaderLength",
    }
    return {
        name: {"$ref": f"#/components/headers/{fields[name]}"}
        for name in ("x-request-id", "server-timing", *names)
    }


def _json(schema: str, example: Any = None) -> Item:
    return {"application/json": {"schema": ref(schema)} | ({} if example is None else {"example": example})}


def _error(status: int) -> Item:
    headers = _headers("retry-after") if status == 503 else _headers()
    return {"description": _WORDS[status], "headers": headers, "content": _json("Failure")}


def _operation(
    operation_id: str,
    summary: str,
    description: str,
    content: Item,
    statuses: tuple[int, ...],
    *parameters: str,
    body: Item | None = None,
    headers: tuple[str, ...] = (),
    security: list[Item] = _SECURITY,
) -> Item:
    answer = {"description": "The answer.", "headers": _headers(*headers), "content": content}
    operation: Item = {
        "tags": ["Data plane"],
        "summary": summary,
        "description": description,
        "operationId": operation_id,
        "responses": {"200": answer} | {str(status): _error(status) for status in statuses},
        "security": security,
    }
    if parameters:
        operation["parameters"] = [{"$ref": f"#/components/parameters/{name}"} for name in parameters]
    if body is not None:
        operation["requestBody"] = body
    return operation


def _body(content: Item, *, required: bool = True) -> Item:
    return {"required": required, "content": content}


def _server() -> Item:
    live = _operation("live", "Whether the server lives", "No API key.", _json("Live"), (500,), security=[])
    ready = _operation(
        "ready", "Whether ONNX Runtime opens", "No API key.", _json("Ready"), (500, 503), security=[]
    )
    about = _operation(
        "server_metadata", "The server", "Name, version, extensions.", _json("ServerMetadata"), SERVER_ERRORS
    )
    statistics = _operation(
        "all_statistics",
        "Statistics of all models",
        "Triton's, of the one environment that answers.",
        _json("Statistics"),
        SERVER_ERRORS,
    )
    index = _operation(
        "repository_index",
        "Every version and its state",
        "Every registered version loads on demand: all are ready but those that failed to open here.",
        _json("RepositoryIndex"),
        (400, 401, 403, 413, 500, 503),
        body=_body(_json("IndexRequest"), required=False),
    )
    names = _operation("model_names", "All models", "Their names.", _json("ModelNames"), SERVER_ERRORS)
    return {
        "/v2": {"get": about},
        "/v2/health/live": {"get": live},
        "/v2/health/ready": {"get": ready},
        "/v2/models/stats": {"get": statistics},
        "/v2/repository/index": {"post": index},
        "/v1/models": {"get": names},
    }


def _repository() -> Item:
    def change(verb: str, description: str, body: Item | None = None) -> Item:
        return _operation(
            f"{verb}_model",
            f"{verb.capitalize()}s a model",
            f"{description} In the one environment that answers; needs the scope `admin`.",
            _json("Nothing"),
            BODY_ERRORS,
            "ModelAtAlias",
            body=body,
        )

    load = _body(_json("LoadRequest"), required=False)
    path = "/v2/repository/models/{model}"
    return {
        f"{path}/load": {"post": change("load", "Reads the alias anew and opens its version.", load)},
        f"{path}/unload": {
            "post": change("unload", "Frees its memory; the next request opens it again. A body is not read.")
        },
    }


def _open_inference(suffix: str, path: str, parameters: tuple[str, ...]) -> Item:
    def get(name: str, summary: str, description: str, schema: str) -> Item:
        operation_id = f"{name}{suffix}"
        return {
            "get": _operation(operation_id, summary, description, _json(schema), READ_ERRORS, *parameters)
        }

    example = {"id": "7", "inputs": [_EXAMPLE]}
    binary: Item = {"application/octet-stream": {"schema": _BINARY}}
    infer = _operation(
        f"infer{suffix}",
        "An inference (Open Inference Protocol)",
        "Tensors in, tensors out. With `Inference-Header-Content-Length` the body is JSON with binary tensor "
        "data behind it; the answer is so when outputs are asked for as binary data.",
        _json("InferResponse") | binary,
        INFERENCE_ERRORS,
        *parameters,
        "HeaderLength",
        body=_body(_json("InferRequest", example) | binary),
        headers=("x-model-version",),
    )
    return {
        path: get("model_metadata", "A model's inputs and outputs", "And its versions.", "ModelMetadata"),
        f"{path}/ready": get("model_ready", "Whether a model would answer", "Opens it.", "ModelReady"),
        f"{path}/config": get("configuration", "A model's configuration", "Triton's.", "ModelConfiguration"),
        f"{path}/stats": get("statistics", "A model's statistics", "Of one environment.", "Statistics"),
        f"{path}/infer": {"post": infer},
    }


def _tensorflow(suffix: str, path: str, parameters: tuple[str, ...]) -> Item:
    def get(name: str, summary: str, description: str, schema: str) -> Item:
        operation_id = f"{name}{suffix}"
        return {
            "get": _operation(operation_id, summary, description, _json(schema), READ_ERRORS, *parameters)
        }

    def post(verb: str, summary: str, asked: Item, answer: str) -> Item:
        return {
            "post": _operation(
                f"tensorflow_{verb}{suffix}",
                f"{summary} (TensorFlow Serving)",
                "As TensorFlow Serving's REST API has it.",
                _json(answer),
                INFERENCE_ERRORS,
                *parameters,
                body=_body(asked),
                headers=("x-model-version",),
            )
        }

    row = _EXAMPLE["data"]
    examples = _json("ExamplesRequest", {"examples": [{"x": row}]})
    return {
        path: get("model_status", "The state of a model's versions", "And KServe's `ready`.", "ModelStatus"),
        f"{path}/metadata": get("signature", "A model's signature", "From its graph.", "SignatureMetadata"),
        f"{path}:predict": post(
            "predict", "Predictions", _json("PredictRequest", {"instances": [row]}), "PredictResponse"
        ),
        f"{path}:classify": post("classify", "Classes", examples, "Classifications"),
        f"{path}:regress": post("regress", "One number a row", examples, "Regressions"),
    }


def _plain(suffix: str, path: str, parameters: tuple[str, ...]) -> Item:
    bytes_as_they_are = ("application/x-npy", "image/*", "audio/*", "application/octet-stream")
    content = _json("Rows", _EXAMPLE["data"])
    content |= {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "text/csv")}
    content |= {kind: {"schema": _BINARY} for kind in bytes_as_they_are}
    predict = _operation(
        f"predict{suffix}",
        "Predictions",
        "JSON rows, one row of text, CSV, a NumPy array, or the bytes of a file for a model that decodes it.",
        _json("Predictions"),
        INFERENCE_ERRORS,
        *parameters,
        body=_body(content),
        headers=("x-model-version",),
    )
    return {f"{path}/predict": {"post": predict}}


PATHS: Item = _server() | _repository()
for _family, _root in ((_open_inference, "/v2/models"), (_tensorflow, "/v1/models"), (_plain, "/models")):
    PATHS |= _family("", _root + "/{model}", ("ModelAtAlias",))
    PATHS |= _family("_of_version", _root + "/{model}/versions/{version}", ("Model", "Version"))
PATHS |= _tensorflow("_of_label", "/v1/models/{model}/labels/{label}", ("Model", "Label"))

"""The bodies, parameters and headers of the data plane, as JSON Schema."""

from typing import Any

from coldpress.tensors import DATATYPES
from control.schemas import NAME, NAMED

Schema = dict[str, Any]

STRING: Schema = {"type": "string"}
BOOLEAN: Schema = {"type": "boolean"}
COUNT: Schema = {"type": "integer", "minimum": 0}
ANYTHING: Schema = {}
DATATYPE: Schema = {"type": "string", "enum": list(DATATYPES)}


def ref(name: str) -> Schema:
    """A reference to one of the document's schemas."""
    return {"$ref": f"#/components/schemas/{name}"}


def list_of(items: Schema, **more: Any) -> Schema:
    """An array's schema."""
    return {"type": "array", "items": items, **more}


def record(description: str, required: str, optional: Schema | None = None, /, **fields: Schema) -> Schema:
    """An object's schema; `required` is names with spaces between them, `optional` more properties."""
    properties = fields | (optional or {})
    schema = {"type": "object", "description": description, "properties": properties}
    return schema | ({"required": required.split()} if required else {})


def _named(name: str, description: str, pattern: str, example: str) -> Schema:
    schema = {"type": "string"} | NAMED | {"pattern": f"^{pattern}$"}
    return {
        "name": name,
        "in": "path",
        "required": True,
        "description": description,
        "schema": schema,
        "example": example,
    }


PARAMETERS: Schema = {
    "Model": _named("model", "The model.", NAME, "scores"),
    "ModelAtAlias": _named(
        "model",
        "The model, or `{model}@{alias}`; without an alias it is `prod`.",
        f"{NAME}(@{NAME})?",
        "scores",
    ),
    "Label": _named("label", "The alias.", NAME, "prod"),
    "Version": {
        "name": "version",
        "in": "path",
        "required": True,
        "description": "The version, from 1.",
        "schema": {"type": "integer", "minimum": 1, "maximum": 999_999_999},
        "example": 1,
    },
    "HeaderLength": {
        "name": "Inference-Header-Content-Length",
        "in": "header",
        "description": "Bytes of the JSON part of the body. 0: the whole body is the model's only input.",
        "schema": COUNT,
    },
}

HEADERS: Schema = {
    "RequestId": {"description": "As the logs have it.", "required": True, "schema": STRING},
    "ServerTiming": {"description": "Milliseconds of each stage.", "required": True, "schema": STRING},
    "ModelVersion": {"description": "`{model}/{version}` that answered.", "required": True, "schema": STRING},
    "RetryAfter": {"description": "Seconds until it is worth asking again.", "schema": COUNT},
    "HeaderLength": {"description": "Bytes of the JSON part.", "required": True, "schema": COUNT},
}

_DATA: Schema = {
    "type": "array",
    "items": ANYTHING,
    "description": "Row-major: flat, or nested as `shape` says. NaN and Infinity may be bare tokens.",
}
_SHAPE = list_of(COUNT)
_BINARY_SIZE = record("", "", binary_data_size=COUNT) | {
    "description": "Instead of `data`: bytes behind the JSON part."
}
_STAGE = record("How often, and how long in all.", "count ns", count=COUNT, ns=COUNT)
_STAGES = {"compute_input": _STAGE, "compute_infer": _STAGE, "compute_output": _STAGE}
_CONFIGURED = list_of(
    record("", "name data_type dims", name=STRING, data_type=STRING, dims=list_of({"type": "integer"}))
)
_SIGNED: Schema = {
    "type": "object",
    "additionalProperties": record(
        "A tensor.", "name dtype tensor_shape", name=STRING, dtype=STRING, tensor_shape={"type": "object"}
    ),
}

SCHEMAS: Schema = {
    # ---------------------------------------------------------------- Open Inference Protocol
    "Live": record("The server answers.", "live", live={"const": True}),
    "Ready": record("The server can open models.", "ready", ready={"const": True}),
    "ServerMetadata": record(
        "The server.", "name version extensions", name=STRING, version=STRING, extensions=list_of(STRING)
    ),
    "ModelMetadata": record(
        "A model.",
        "name versions platform inputs outputs",
        name=STRING,
        versions=list_of(STRING),
        platform=STRING,
        inputs=list_of(ref("TensorInfo")),
        outputs=list_of(ref("TensorInfo")),
    ),
    "ModelReady": record("The model would answer.", "name ready", name=STRING, ready={"const": True}),
    "ModelConfiguration": record(
        "In Triton's form. Shapes are given whole, so `max_batch_size` is 0.",
        "name platform backend version_policy max_batch_size input output",
        name=STRING,
        platform=STRING,
        backend=STRING,
        version_policy={"type": "object"},
        max_batch_size={"const": 0},
        input=_CONFIGURED,
        output=_CONFIGURED,
    ),
    "Statistics": record(
        "In Triton's form, of the one environment that answers.",
        "model_stats scope",
        model_stats=list_of(ref("ModelStatistics")),
        scope=STRING,
    ),
    "ModelStatistics": record(
        "What one version has done.",
        "name version last_inference inference_count execution_count inference_stats batch_stats",
        name=STRING,
        version=STRING,
        last_inference={**COUNT, "description": "Milliseconds since 1970; 0: never."},
        inference_count={**COUNT, "description": "Rows."},
        execution_count={**COUNT, "description": "Runs of the model."},
        inference_stats=record(
            "All runs.",
            "success fail queue compute_input compute_infer compute_output",
            success=_STAGE,
            fail=_STAGE,
            queue=_STAGE,
            **_STAGES,
        ),
        batch_stats=list_of(
            record("Runs of one batch size.", " ".join(["batch_size", *_STAGES]), batch_size=COUNT, **_STAGES)
        ),
    ),
    "Tensor": record(
        "An input or output, with its values in `data` or behind the JSON part.",
        "name datatype shape",
        name=STRING,
        datatype=DATATYPE,
        shape=_SHAPE,
        data=_DATA,
        parameters=_BINARY_SIZE,
    ),
    "RequestedOutput": record(
        "An output to answer.",
        "name",
        name=STRING,
        parameters=record(
            "How to answer it.",
            "",
            binary_data={**BOOLEAN, "description": "As binary tensor data."},
            classification={
                "type": "integer",
                "minimum": 1,
                "description": "Only the k highest values, as text.",
            },
        ),
    ),
    "InferRequest": record(
        "Which tensors go in, and which come out.",
        "inputs",
        id={**STRING, "description": "Comes back in the answer."},
        inputs=list_of(ref("Tensor")),
        outputs=list_of(ref("RequestedOutput"), description="Without it: all."),
        parameters=record(
            "", "", binary_data_output={**BOOLEAN, "description": "Every output as binary data."}
        ),
    ),
    "InferResponse": record(
        "The outputs.",
        "model_name model_version outputs",
        id=STRING,
        model_name=STRING,
        model_version=STRING,
        outputs=list_of(ref("Tensor")),
    ),
    "IndexRequest": record(
        "Which versions to list.", "", ready={**BOOLEAN, "description": "Only those that can be opened."}
    ),
    "RepositoryIndex": list_of(
        record(
            "A version and its state.",
            "name version state reason",
            name=STRING,
            version=STRING,
            state={"type": "string", "enum": ["READY", "UNAVAILABLE"]},
            reason=STRING,
        )
    ),
    "LoadRequest": record(
        "Nothing is taken: a version is what was published.",
        "",
        parameters={"type": ["object", "null"], "maxProperties": 0},
    ),
    "Nothing": {"type": "object", "maxProperties": 0, "description": "An empty object."},
    # ------------------------------------------------------------- TensorFlow Serving, KServe v1
    "ModelNames": record("All models.", "models", models=list_of(STRING)),
    "ModelStatus": record(
        "TensorFlow Serving's list of versions, and KServe's two fields.",
        "model_version_status name ready",
        name=STRING,
        ready={"const": True},
        model_version_status=list_of(
            record(
                "A version.", "version state status", version=STRING, state=STRING, status={"type": "object"}
            )
        ),
    ),
    "SignatureMetadata": record(
        "The one signature, `serving_default`.",
        "model_spec metadata",
        model_spec=record(
            "", "name signature_name version", name=STRING, signature_name=STRING, version=STRING
        ),
        metadata=record(
            "",
            "signature_def",
            signature_def=record(
                "",
                "signature_def",
                signature_def=record(
                    "",
                    "serving_default",
                    serving_default=record(
                        "", "inputs outputs method_name", inputs=_SIGNED, outputs=_SIGNED, method_name=STRING
                    ),
                ),
            ),
        ),
    ),
    "PredictRequest": record(
        'Rows in `instances`, or columns in `inputs`. `{"b64": …}` stands for bytes.',
        "",
        signature_name={"type": "string", "enum": ["", "serving_default"]},
        instances=list_of(
            ANYTHING, minItems=1, description="A row is a value, or an object `{input: value}`."
        ),
        inputs={"description": "A value, or an object `{input: value}`."},
    )
    | {"oneOf": [{"required": ["instances"]}, {"required": ["inputs"]}]},
    "PredictResponse": record(
        "`predictions` answers `instances`, `outputs` answers `inputs`.",
        "",
        predictions=list_of(ANYTHING),
        outputs={"description": "A value, or an object `{output: value}`."},
    )
    | {"oneOf": [{"required": ["predictions"]}, {"required": ["outputs"]}]},
    "ExamplesRequest": record(
        "Rows as objects of features.",
        "examples",
        signature_name={"type": "string", "enum": ["", "serving_default"]},
        context={"type": "object", "description": "Features that all examples share."},
        examples=list_of({"type": "object"}, minItems=1),
    ),
    "Classifications": record(
        "A list of `[label, score]` for each example.",
        "results",
        results=list_of(list_of({"type": "array", "minItems": 2, "maxItems": 2, "items": {}})),
    ),
    "Regressions": record("A number for each example.", "results", results=list_of({"type": "number"})),
    # ------------------------------------------------------------------------------- plain
    "Rows": {
        "description": "A row, or a list of rows. A row is a value, or an object `{input: value}`.",
    },
    "Predictions": record(
        "One prediction a row: each output by its name; with labels, the best `label` and its `score` too.",
        "predictions",
        predictions=list_of({"type": "object"}),
    ),
}

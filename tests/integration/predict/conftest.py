"""Real ONNX models in a folder, and a data plane that serves them."""

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from coldpress import access
from coldpress.registry import Artifact, Manifest, Registry, TensorInfo
from coldpress.serving import DataPlane
from coldpress.settings import Settings
from coldpress.store import Store

NOW = "2026-01-02T03:04:05Z"
OPSETS = [helper.make_opsetid("", 20), helper.make_opsetid("ai.onnx.ml", 3)]

TYPES = {
    "BOOL": TensorProto.BOOL, "INT8": TensorProto.INT8, "INT16": TensorProto.INT16,
    "INT32": TensorProto.INT32, "INT64": TensorProto.INT64, "UINT8": TensorProto.UINT8,
    "UINT16": TensorProto.UINT16, "UINT32": TensorProto.UINT32, "UINT64": TensorProto.UINT64,
    "FP16": TensorProto.FLOAT16, "FP32": TensorProto.FLOAT, "FP64": TensorProto.DOUBLE,
    "BYTES": TensorProto.STRING,
}  # fmt: skip


def model_of(
    nodes: list[onnx.NodeProto],
    inputs: dict[str, tuple[str, list[Any]]],
    outputs: dict[str, tuple[str, list[Any]]],
    constants: dict[str, "np.ndarray[Any, Any]"] | None = None,
) -> bytes:
    """An ONNX file; inputs and outputs are name -> (datatype, shape)."""

    def values(infos: dict[str, tuple[str, list[Any]]]) -> list[onnx.ValueInfoProto]:
        return [
            helper.make_tensor_value_info(name, TYPES[kind], shape) for name, (kind, shape) in infos.items()
        ]

    graph = helper.make_graph(
        nodes,
        "g",
        values(inputs),
        values(outputs),
        [numpy_helper.from_array(array, name) for name, array in (constants or {}).items()],
    )
    model = helper.make_model(graph, opset_imports=OPSETS, ir_version=10)
    onnx.checker.check_model(model)
    return model.SerializeToString()


def mlp(seed: int = 0, width: int = 16) -> bytes:
    """x FP32 [n, 4] -> probabilities FP32 [n, 3]."""
    random = np.random.default_rng(seed)
    constants = {
        "w1": random.normal(size=(4, width)).astype(np.float32),
        "b1": random.normal(size=width).astype(np.float32),
        "w2": random.normal(size=(width, 3)).astype(np.float32),
        "b2": random.normal(size=3).astype(np.float32),
    }
    nodes = [
        helper.make_node("Gemm", ["x", "w1", "b1"], ["h"]),
        helper.make_node("Relu", ["h"], ["r"]),
        helper.make_node("Gemm", ["r", "w2", "b2"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["probabilities"]),
    ]
    return model_of(nodes, {"x": ("FP32", ["n", 4])}, {"probabilities": ("FP32", ["n", 3])}, constants)


def constant(value: float, padding: int = 0) -> bytes:
    """x FP32 [n, 1] -> y FP32 [n, 1], always `value`: tells versions apart. `padding`: bytes of weights."""
    constants = {
        "zero": np.zeros(1, np.float32),
        "value": np.full(1, value, np.float32),
        "weights": np.random.default_rng(int(value)).normal(size=padding // 4 or 1).astype(np.float32),
    }
    nodes = [
        helper.make_node("Mul", ["x", "zero"], ["zeros"]),
        helper.make_node("Cast", ["zeros"], ["index"], to=TensorProto.INT64),
        # Which weight is known at run time only, so that none of them can be folded away.
        helper.make_node("Gather", ["weights", "index"], ["weight"]),
        helper.make_node("Mul", ["weight", "zero"], ["nothing"]),
        helper.make_node("Add", ["nothing", "value"], ["y"]),
    ]
    return model_of(nodes, {"x": ("FP32", ["n", 1])}, {"y": ("FP32", ["n", 1])}, constants)


def words() -> bytes:
    """text BYTES [n] -> id INT64 [n]: good 1, bad 2, any other 0."""
    node = helper.make_node(
        "LabelEncoder", ["text"], ["id"], domain="ai.onnx.ml",
        keys_strings=["good", "größe", "bad"], values_int64s=[1, 3, 2], default_int64=0,
    )  # fmt: skip
    return model_of([node], {"text": ("BYTES", ["n"])}, {"id": ("INT64", ["n"])})


def two_inputs() -> bytes:
    """a, b FP32 [n, 2] -> sum, difference FP32 [n, 2]."""
    nodes = [
        helper.make_node("Add", ["a", "b"], ["sum"]),
        helper.make_node("Sub", ["a", "b"], ["difference"]),
    ]
    shape: tuple[str, list[Any]] = ("FP32", ["n", 2])
    return model_of(nodes, {"a": shape, "b": shape}, {"sum": shape, "difference": shape})


def echo(datatype: str) -> bytes:
    """x -> y, both [n, m] of a datatype."""
    shape: tuple[str, list[Any]] = (datatype, ["n", "m"])
    return model_of([helper.make_node("Identity", ["x"], ["y"])], {"x": shape}, {"y": shape})


def optimised(model: bytes, folder: Path) -> bytes:
    """The model as ONNX Runtime's own Python module optimises it offline, in ORT format."""
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(folder / "optimised.ort")
    options.add_session_config_entry("session.save_model_format", "ORT")
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.log_severity_level = 4
    onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])
    return (folder / "optimised.ort").read_bytes()


def answers_of(model: bytes, inputs: dict[str, Any]) -> list[Any]:
    """What plain onnxruntime answers."""
    return list(onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"]).run(None, inputs))


class Answer(NamedTuple):
    """A function's answer, taken apart."""

    status: int
    body: Any
    headers: dict[str, str]


class Plane:
    """A data plane over a folder, with a key for everything."""

    def __init__(self, store: Store, **settings: Any) -> None:
        self.store = store
        self.registry = Registry(store)
        self.key, _ = access.create_key(store, ("admin",))
        self.settings = Settings(**{"store": store.url, "alias_seconds": 0.0} | settings)
        self.plane = DataPlane(self.settings)

    def restart(self, **settings: Any) -> None:
        """Another execution environment over the same store."""
        self.plane = DataPlane(self.settings._replace(**settings))

    def publish(
        self,
        model: str,
        version: int,
        *files: bytes | Artifact,
        like: bytes = b"",
        alias: str = "prod",
        **fields: Any,
    ) -> None:
        """Registers a version: ONNX files as its artefacts, best first; moves the alias to it.

        `like`: the ONNX file that tells inputs and outputs; without it, the last of the files.
        """
        artifacts = [
            file
            if isinstance(file, Artifact)
            else self.artifact(model, version, file, f"model-{number}.onnx")
            for number, file in enumerate(files)
        ]
        graph = onnx.load_from_string(like or [file for file in files if isinstance(file, bytes)][-1]).graph
        manifest = Manifest(
            model=model,
            version=version,
            created=NOW,
            artifacts=tuple(artifacts),
            inputs=infos(graph.input),
            outputs=infos(graph.output),
            runtime=onnxruntime.__version__,
            **fields,
        )
        self.registry.add(manifest)
        if alias:
            self.registry.move(model, alias, {version: 1}, NOW)

    def artifact(self, model: str, version: int, data: bytes, name: str, **fields: Any) -> Artifact:
        """Stores a file and describes it."""
        key = f"models/{model}/versions/{version}/{name}"
        self.store.overwrite(key, data)
        digest = hashlib.sha256(data).hexdigest()
        return Artifact(
            **{"key": key, "size": len(data), "sha256": digest, "format": "onnx", "optimised": False} | fields
        )

    def call(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        headers: dict[str, str] | None = None,
        request_id: str = "r",
    ) -> Answer:
        """One HTTP API event, answered. A body that is neither text nor nothing is sent as JSON."""
        text = body if isinstance(body, str) or body is None else json.dumps(body)
        event: dict[str, Any] = {
            "version": "2.0",
            "rawPath": path,
            "headers": {"x-api-key": self.key} | (headers or {}),
            "requestContext": {
                "http": {"method": method, "path": path},
                "requestId": request_id,
                "stage": "$default",
            },
            "isBase64Encoded": False,
        }
        if text is not None:
            event["body"] = text
        answer = self.plane.answer(event)
        assert set(answer) == {"statusCode", "headers", "body", "isBase64Encoded"}
        assert answer["isBase64Encoded"] is False
        assert answer["headers"]["content-type"] == "application/json"
        assert answer["headers"]["x-request-id"] == request_id
        assert "total;dur=" in answer["headers"]["server-timing"]
        found = json.loads(answer["body"])
        if answer["statusCode"] != 200:
            assert set(found) == {"error"}
            assert isinstance(found["error"], str)
        return Answer(answer["statusCode"], found, answer["headers"])

    def infer(self, model: str, *inputs: dict[str, Any], **more: Any) -> Answer:
        """POST /v2/models/{model}/infer."""
        return self.call("POST", f"/v2/models/{model}/infer", {"inputs": list(inputs)} | more)

    def predict(self, model: str, body: Any, **more: Any) -> Answer:
        """POST /models/{model}/predict."""
        return self.call("POST", f"/models/{model}/predict", body, **more)

    def version(self, model: str = "m", request_id: str = "r") -> float:
        """Which version answers, as a model of `constant` tells itself and the header agrees."""
        answer = self.predict(model, [1.0], request_id=request_id)
        assert answer.status == 200, answer.body
        value: float = answer.body["predictions"][0]["y"][0]
        assert answer.headers["x-model-version"] == f"{model.partition('@')[0].partition('/')[0]}/{value:.0f}"
        return value


def infos(values: Any) -> tuple[TensorInfo, ...]:
    """A graph's inputs or outputs as a manifest has them."""
    names = {number: name for name, number in TYPES.items()}
    return tuple(
        TensorInfo(
            value.name,
            names[value.type.tensor_type.elem_type],
            tuple(
                dim.dim_value if dim.HasField("dim_value") else -1 for dim in value.type.tensor_type.shape.dim
            ),
        )
        for value in values
    )


@pytest.fixture
def make_plane(tmp_path: Path) -> Callable[..., Plane]:
    """Makes planes over one empty folder."""
    return lambda **settings: Plane(Store(f"file://{tmp_path / 'store'}"), **settings)


@pytest.fixture
def plane(make_plane: Callable[..., Plane]) -> Plane:
    """A plane with default settings, but for aliases: they are read for every request."""
    return make_plane()

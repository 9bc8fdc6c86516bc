"""Good models: uploaded, ingested, and then served from what is stored."""

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

from coldpress.opening import Opener
from coldpress.registry import INLINE_BYTES, Registry, TensorInfo
from coldpress.settings import Settings
from coldpress.telemetry import Trace
from coldpress.tensors import Tensor
from coldpress.uploads import new_upload

HEADER = '<ir_version: 10, opset_import: ["" : 20, "ai.onnx.ml" : 3]>'
LABELS = json.dumps(["no", "yes", "maybe", "Ünsinn"])


def test_a_model_becomes_a_version(world: Any, build: Callable[..., bytes]) -> None:
    data = build(coldpress_labels=LABELS, coldpress_description="doubles", author="me")
    upload = world.upload(data)
    assert world.state(upload)["state"] == "received"
    assert world.ingest(upload.key) == {"outcome": "ready", "version": 1}
    assert world.state(upload) == {
        "id": upload.id,
        "model": "m",
        "state": "ready",
        "version": 1,
        "alias": "prod",
    }
    found = world.manifest()
    assert found.inputs == (TensorInfo("x", "FP32", (-1, 4)),)
    assert found.outputs == (TensorInfo("y", "FP32", (-1, 4)),)
    assert found.labels == ("no", "yes", "maybe", "Ünsinn")
    assert found.warmup == {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32"}]}
    assert found.metadata == {"coldpress.description": "doubles", "author": "me"}
    assert found.runtime == onnxruntime.__version__
    assert [(a.format, a.optimised) for a in found.artifacts] == [("ort", True), ("onnx", False)]
    assert found.source["key"] == upload.key
    assert world.store.get(found.artifacts[-1].key).data == data
    assert world.alias().routes[0].manifest == found


def network() -> onnx.ModelProto:
    """Convolution, batch normalisation, pooling, a dense layer: everything the optimiser likes to rewrite."""
    random = np.random.default_rng(3)
    weights = {
        "w": random.normal(size=(24, 3, 3, 3)),
        "scale": random.uniform(0.5, 2, size=24),
        "bias": random.normal(size=24),
        "mean": random.normal(size=24),
        "var": random.uniform(0.5, 2, size=24),
        "dense": random.normal(size=(24, 10)),
    }
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["a"], pads=[1, 1, 1, 1]),
        helper.make_node("BatchNormalization", ["a", "scale", "bias", "mean", "var"], ["b"]),
        helper.make_node("Relu", ["b"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["d"]),
        helper.make_node("Flatten", ["d"], ["e"]),
        helper.make_node("MatMul", ["e", "dense"], ["f"]),
        helper.make_node("Softmax", ["f"], ["scores"]),
    ]
    return helper.make_model(
        helper.make_graph(
            nodes,
            "network",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 3, "h", "w_"])],
            [helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["n", 10])],
            [numpy_helper.from_array(value.astype(np.float32), name) for name, value in weights.items()],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )


def test_every_artefact_answers_byte_for_byte_as_plain_onnxruntime(world: Any) -> None:
    data = network().SerializeToString()
    assert world.put(data)["outcome"] == "ready"
    manifest = world.manifest()
    assert len(manifest.artifacts) == 2
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    plain = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    for artifact in manifest.artifacts:
        opener = Opener(world.store, Settings(store=world.store.url))
        session = opener.open(manifest._replace(artifacts=(artifact,)), Trace()).session
        for rows in (1, 2, 7):
            x = np.random.default_rng(rows).normal(size=(rows, 3, 16, 20)).astype(np.float32)
            (answer,) = session.run([Tensor("x", "FP32", x.shape, x.tobytes())])
            (reference,) = plain.run(None, {"x": x})
            assert answer == Tensor("scores", "FP32", (rows, 10), reference.tobytes()), artifact.format


def test_a_small_artefact_is_in_its_manifest_too(world: Any, build: Callable[..., bytes]) -> None:
    world.put(build())
    manifest = world.manifest(1)
    best = manifest.artifacts[0]
    assert base64.b64decode(manifest.inline) == world.store.get(best.key).data
    padded = onnx.load_from_string(build())
    padded.graph.initializer.append(numpy_helper.from_array(np.zeros(INLINE_BYTES, np.uint8), "unused"))
    padded.graph.output.append(helper.make_tensor_value_info("unused", TensorProto.UINT8, [INLINE_BYTES]))
    world.put(padded.SerializeToString())
    assert world.manifest(2).artifacts[0].size > INLINE_BYTES
    assert world.manifest(2).inline == ""


def test_versions_count_up_and_the_alias_follows(world: Any, build: Callable[..., bytes]) -> None:
    for version in (1, 2, 3):
        assert world.put(build(version=str(version)))["version"] == version
    assert world.put(build(version="4"), alias=None)["version"] == 4
    assert world.versions() == [1, 2, 3, 4]
    alias = world.alias()
    assert [route.version for route in alias.routes] == [3]
    assert [row["routes"][0]["version"] for row in alias.history] == [2, 1]


def test_session_settings_of_the_file_and_of_its_sender(world: Any, build: Callable[..., bytes]) -> None:
    data = build(coldpress_session='{"arena": false, "memory_pattern": true}')
    world.put(data)
    assert world.manifest(1).session == {"arena": False, "memory_pattern": True}
    for session in ({"memory_pattern": False}, {"threads": 1}):
        upload = new_upload(world.store, "m", "model.onnx", session=session)
        world.store.overwrite(upload.key, data)
        outcome = world.ingest(upload.key)
    assert world.manifest(2).session == {"arena": False, "memory_pattern": False}
    assert outcome["reason"].startswith("the upload's session must be a JSON object of true or false for ")


def test_a_file_copied_into_the_folder_is_an_upload(world: Any, build: Callable[..., bytes]) -> None:
    path = Path(world.folder) / "incoming" / "raw" / "my model.onnx"
    path.parent.mkdir(parents=True)
    path.write_bytes(build())
    assert world.ingest("incoming/raw/my model.onnx") == {"outcome": "ready", "version": 1}
    path.write_bytes(build(changed="yes"))
    assert world.ingest("incoming/raw/my model.onnx") == {"outcome": "ready", "version": 2}
    assert world.ingest("incoming/raw/my model.onnx") == {"outcome": "known", "state": "ready"}


def test_repeated_and_late_events_change_nothing(world: Any, build: Callable[..., bytes]) -> None:
    first, second = world.upload(build(v="1")), world.upload(build(v="2"))
    assert world.ingest(second.key)["version"] == 1
    assert world.ingest(first.key)["version"] == 2
    before = sorted((info.key, info.etag) for info in world.store.walk(""))
    for upload in (first, second, first):
        assert world.ingest(upload.key) == {"outcome": "known", "state": "ready"}
    assert sorted((info.key, info.etag) for info in world.store.walk("")) == before


def test_a_second_file_beside_an_upload_is_one_of_its_own(world: Any, build: Callable[..., bytes]) -> None:
    upload = world.upload(build(v="1"), alias="dev")
    beside = upload.key.replace("model.onnx", "other.onnx")
    world.store.overwrite(beside, build(v="2"))
    assert [world.ingest(key)["version"] for key in (upload.key, beside)] == [1, 2]
    for key in (upload.key, beside, upload.key):
        assert world.ingest(key) == {"outcome": "known", "state": "ready"}
    assert world.state(upload)["version"] == 1
    assert Registry(world.store).alias("m", "dev").routes[0].version == 2


def test_an_event_for_a_deleted_upload_is_done(world: Any) -> None:
    assert world.ingest("incoming/m/gone.onnx") == {"outcome": "gone"}
    assert list(world.store.walk("")) == []


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        # A kernel of 5 x 5 does not fit until the picture has 8 x 8.
        (
            "g (float[n,1,h,w] x) => (float[n,1,a,b] y) { y = AveragePool<kernel_shape=[5,5]> (x) }",
            [1, 1, 8, 8],
        ),
        ("g (float x) => (float y) { y = Relu (x) }", []),
        ("g (string[n] x) => (string[n] y) { y = Identity (x) }", [1]),
    ],
)
def test_a_warm_up_is_made_up(world: Any, build: Callable[..., bytes], text: str, shape: list[int]) -> None:
    assert world.put(build(f"{HEADER} {text}"))["outcome"] == "ready"
    assert world.manifest().warmup["inputs"][0]["shape"] == shape
    assert world.manifest().artifacts[0].format == "ort"


def test_the_models_own_warm_up_is_kept_as_it_is(world: Any, build: Callable[..., bytes]) -> None:
    request = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2, 3, 4.5]}]}
    world.put(build(coldpress_warmup=json.dumps(request)))
    assert world.manifest().warmup == request


def test_a_long_warm_up_is_replaced_by_zeros(world: Any, build: Callable[..., bytes]) -> None:
    row = {"name": "x", "shape": [3000, 4], "datatype": "FP32"}
    world.put(build(coldpress_warmup=json.dumps({"inputs": [row | {"data": [0.125] * 12000}]})))
    assert world.manifest().warmup == {"inputs": [row]}
    assert "longer than 16384 bytes" in world.manifest().metadata["coldpress.note"]


# Takes its own length from its input's first value: zeros never run.
PICKY = """g (int64[n] x) => (float[m] y) {
    zero = Constant<value_ints=[0]>()
    first = Gather (x, zero)
    one = Constant<value_float=1.0>()
    ones = Expand (one, first)
    two = Constant<value_ints=[2]>()
    y = Reshape (ones, two)
}"""


def test_variable_inputs_that_no_zeros_fit_are_accepted_without_a_warm_up(
    world: Any, build: Callable[..., bytes]
) -> None:
    assert world.put(build(f"{HEADER} {PICKY}"))["outcome"] == "ready"
    manifest = world.manifest()
    assert manifest.warmup is None
    assert [artifact.format for artifact in manifest.artifacts] == ["onnx"]
    assert manifest.metadata["coldpress.note"].startswith(
        "not warmed up: no input of zeros that was tried ran"
    )
    assert "add the metadata coldpress.warmup" in manifest.metadata["coldpress.note"]


def test_the_same_model_with_a_warm_up_of_its_own_is_optimised(
    world: Any, build: Callable[..., bytes]
) -> None:
    request = {"inputs": [{"name": "x", "shape": [1], "datatype": "INT64", "data": [2]}]}
    world.put(build(f"{HEADER} {PICKY}", coldpress_warmup=json.dumps(request)))
    manifest = world.manifest()
    assert manifest.warmup == request
    assert [artifact.format for artifact in manifest.artifacts] == ["ort", "onnx"]


def test_a_random_model_is_served_from_the_portable_file(world: Any, build: Callable[..., bytes]) -> None:
    world.put(build(f"{HEADER} g (float[n] x) => (float[n] y) {{ y = RandomNormalLike (x) }}"))
    manifest = world.manifest()
    assert [artifact.format for artifact in manifest.artifacts] == ["onnx"]
    assert "differ from run to run" in manifest.metadata["coldpress.note"]


def test_a_model_without_inputs(world: Any, build: Callable[..., bytes]) -> None:
    world.put(build(f"{HEADER} g () => (float[2] y) {{ y = Constant<value_floats=[1.0, 2.0]>() }}"))
    manifest = world.manifest()
    assert (manifest.inputs, manifest.warmup) == ((), None)
    assert [artifact.format for artifact in manifest.artifacts] == ["ort", "onnx"]


def test_functions_of_the_models_own_domain(world: Any, build: Callable[..., bytes]) -> None:
    text = """
    <ir_version: 10, opset_import: ["" : 20, "my.own" : 1]>
    g (float[n] x) => (float[n] y) { y = my.own.Twice (x) }
    <domain: "my.own", opset_import: ["" : 20]> Twice (a) => (b) { b = Add (a, a) }
    """
    assert world.put(build(text))["outcome"] == "ready"
    assert world.manifest().artifacts[0].format == "ort"


def test_sequences_of_maps_are_told_as_they_are_answered(world: Any, build: Callable[..., bytes]) -> None:
    text = """
    <ir_version: 10, opset_import: ["" : 20, "ai.onnx.ml" : 3]>
    g (float[n,2] x) => (seq(map(string, float)) y) {
        y = ai.onnx.ml.ZipMap<classlabels_strings=["a", "b"]> (x)
    }
    """
    world.put(build(text))
    assert world.manifest().outputs == (
        TensorInfo("y", "FP32", (-1, -1)),
        TensorInfo("y.keys", "BYTES", (-1,)),
    )


def test_one_line_is_logged_for_each_attempt(
    world: Any, build: Callable[..., bytes], capfd: pytest.CaptureFixture[str]
) -> None:
    upload = world.upload(build())
    world.ingest(upload.key)
    (line,) = capfd.readouterr().out.splitlines()
    logged = json.loads(line)
    stages = logged.pop("ms")
    assert logged == {
        "service": "coldpress-ingest",
        "event": "ingest",
        "key": upload.key,
        "model": "m",
        "upload": upload.id,
        "outcome": "ready",
        "version": 1,
    }
    assert set(stages) == {
        "fetch",
        "scan",
        "trial",
        "trial_open",
        "trial_run",
        "trial_optimise",
        "store",
        "register",
    }

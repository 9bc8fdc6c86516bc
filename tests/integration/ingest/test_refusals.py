"""Bad uploads: each is refused with a reason that its sender can read, and stays where it was put."""

import json
import random
import re
from collections.abc import Callable
from typing import Any

import onnx
import pytest
from onnx import TensorProto, helper, parser

from coldpress.ingest.ingest import Ingest
from coldpress.settings import Settings

HEADER = '<ir_version: 10, opset_import: ["" : 20, "ai.onnx.ml" : 3]>'


def refused(world: Any, data: bytes) -> str:
    """Why an upload is refused, as every place tells it."""
    upload = world.upload(data)
    outcome = world.ingest(upload.key)
    assert outcome["outcome"] == "rejected", outcome
    reason: str = outcome["reason"]
    told = world.rejection(upload)
    assert told["key"] == upload.key
    assert told["reason"] == reason
    assert world.state(upload) == {"id": upload.id, "model": "m", "state": "rejected", "reason": reason}
    assert world.versions() == []
    assert world.store.head(upload.key).size == len(data)
    assert not any(info.key.startswith("models/m/versions/") for info in world.store.walk(""))
    return reason


def changed(data: bytes, change: Callable[[onnx.ModelProto], object]) -> bytes:
    model = onnx.load_model_from_string(data)
    change(model)
    return bytes(model.SerializeToString())


def newer_ir(model: onnx.ModelProto) -> None:
    model.ir_version = 14


def newer_opset(model: onnx.ModelProto) -> None:
    model.opset_import[0].version = 27


def newer_ml_opset(model: onnx.ModelProto) -> None:
    model.opset_import[1].version = 6


def custom_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].domain = "com.acme"
    model.opset_import.add(domain="com.acme", version=1)


def unknown_operator(model: onnx.ModelProto) -> None:
    model.graph.node[0].op_type = "Multiply"


def external(location: str) -> Callable[[onnx.ModelProto], None]:
    def change(model: onnx.ModelProto) -> None:
        tensor = model.graph.initializer.add(name="w", data_type=TensorProto.FLOAT, dims=[4])
        tensor.data_location = TensorProto.EXTERNAL
        tensor.external_data.add(key="location", value=location)

    return change


def cycle(model: onnx.ModelProto) -> None:
    model.graph.node[0].input[0] = "y"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (newer_ir, r"IR version 14 is newer than ONNX Runtime 1\.31\.1 reads \(at most 13\)"),
        (newer_opset, r"operator set 27 of ai\.onnx is newer .* \(at most 26\)"),
        (newer_ml_opset, r"operator set 6 of ai\.onnx\.ml is newer .* \(at most 5\)"),
        (custom_operator, r"of the domain 'com\.acme' needs a custom-operator library"),
        (unknown_operator, r"^its graph is not valid ONNX .*Multiply"),
        (external("w.data"), r"at 'w\.data': a file beside it, and an upload is one file"),
        (external("/etc/passwd"), r"at '/etc/passwd': an absolute path"),
        (external("../../../etc/passwd"), r"a path that leaves the model's folder"),
        (external("*/_ORT_MEM_ADDR_/*"), r"outside of the file"),
        (cycle, r"^(its graph is not valid ONNX|ONNX Runtime 1\.31\.1 cannot open it).*: "),
    ],
)
def test_models_that_cannot_be_served(
    world: Any, build: Callable[..., bytes], change: Callable[[onnx.ModelProto], object], reason: str
) -> None:
    text = build(HEADER + " g (float[n,4] x) => (float[n,4] y) { y = Mul (x, x) }")
    assert re.search(reason, refused(world, changed(text, change)))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "the file is empty (0 bytes); upload it again"),
        (
            b"hello",
            "this is no ONNX model: its first bytes are 68 65 6c 6c 6f, where an ONNX file starts with 08",
        ),
        (
            b"PK\x03\x04" + bytes(100),
            "this is no ONNX model: it is a zip archive, such as a PyTorch checkpoint;",
        ),
    ],
)
def test_files_that_are_no_model(world: Any, data: bytes, reason: str) -> None:
    assert refused(world, data).startswith(reason)


def test_a_truncated_model(world: Any, build: Callable[..., bytes]) -> None:
    model = onnx.load_model_from_string(build())
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [5000], bytes(20000), raw=True))
    assert refused(world, model.SerializeToString()[:10000]).startswith(
        "truncated: the file ends after 10000 bytes"
    )


def test_a_model_above_the_limit(world: Any, build: Callable[..., bytes]) -> None:
    upload = world.upload(build())
    ingest = Ingest(Settings(store=world.store.url, max_model_bytes=100))
    outcome = ingest(upload.key)
    assert "the limit is 100 (COLDPRESS_MAX_MODEL_BYTES)" in outcome["reason"]


def test_labels_that_are_no_json(world: Any, build: Callable[..., bytes]) -> None:
    assert refused(world, build(coldpress_labels="cat,dog")).startswith(
        "metadata coldpress.labels must be a JSON list of class names, such as "
        '["cat", "dog"], but it is no JSON: '
    )


# Indexes a list of two numbers by its input's length: 5 is out of bounds, whatever the values.
FIXED = """g (float[5] x) => (float y) {
    two = Constant<value_floats=[1.0, 2.0]>()
    shape = Shape (x)
    at = Squeeze (shape)
    y = Gather (two, at)
}"""


def test_a_model_of_fixed_shape_that_does_not_run(world: Any, build: Callable[..., bytes]) -> None:
    reason = refused(world, build(f"{HEADER} {FIXED}"))
    assert reason.startswith("it does not run on zeros of its declared shapes: ")
    assert "add the metadata coldpress.warmup" in reason


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"name": "x", "shape": [1, 5], "datatype": "FP32"}, "has shape [-1, 4]"),
        ({"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [1, 2]}, "needs 4 values, data has 2"),
        ({"name": "z", "shape": [1, 4], "datatype": "FP32"}, "'x'"),
        ({"name": "x", "shape": [1, 4], "datatype": "FLOAT"}, "a datatype"),
        ({"name": "x", "shape": [1 << 40, 4], "datatype": "FP32"}, "at most"),
    ],
)
def test_a_warm_up_that_the_model_does_not_answer(
    world: Any, build: Callable[..., bytes], row: dict[str, Any], reason: str
) -> None:
    found = refused(world, build(coldpress_warmup=json.dumps({"inputs": [row]})))
    assert found.startswith("it does not answer its own warm-up request (metadata coldpress.warmup): ")
    assert reason in found


def test_an_input_that_no_client_can_send(world: Any, build: Callable[..., bytes]) -> None:
    text = "g (seq(float[n]) x, int64 i) => (float[n] y) { y = SequenceAt (x, i) }"
    assert refused(world, build(f"{HEADER} {text}")).startswith(
        "input 'x' is a sequence, and only tensors can be sent"
    )


def test_more_memory_than_there_is(world: Any, build: Callable[..., bytes]) -> None:
    text = """g (float[1] x) => (float[n] y) {
        shape = Constant<value_ints=[4000000000000]>()
        many = Expand (x, shape)
        y = Neg (many)
    }"""
    assert refused(world, build(f"{HEADER} {text}")).startswith("it does not run on zeros")


ENDLESS = """g (float[1] x) => (float[1] y) {
    count = Constant<value=int64 {9000000000000000000}>()
    go = Constant<value=bool {1}>()
    y = Loop (count, go, x) <body = b (int64 i, bool c, float[1] a) => (bool d, float[1] e) {
        d = Identity (c)
        e = Sin (a)
    }>
}"""


def test_a_model_that_never_ends(
    world: Any, build: Callable[..., bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("coldpress.ingest.ingest.TRIAL_SHARE", 0.0)  # however slow this machine is
    upload = world.upload(build(f"{HEADER} {ENDLESS}"))
    outcome = world.ingest(upload.key, seconds=31.4)
    assert outcome["outcome"] == "rejected"
    assert outcome["reason"].startswith("it did not answer a warm-up request within 1 s")
    assert world.state(upload)["state"] == "rejected"


@pytest.mark.parametrize(
    ("key", "reason"),
    [
        ("incoming/MyModel/x.onnx", "'MyModel' cannot name a model: use lower-case letters"),
        ("incoming/my model/x.onnx", "'my model' cannot name a model"),
        ("incoming/stats/x.onnx", "'stats' is a reserved word"),
        ("incoming/x.onnx", "put files at incoming/MODEL/FILE.onnx"),
        (f"incoming/{'a' * 64}/x.onnx", "at most 63"),
        ("incoming/../x.onnx", "'..' cannot name a model"),
    ],
)
def test_names_that_cannot_be(world: Any, key: str, reason: str) -> None:
    from coldpress.ingest.transaction import rejection_key

    outcome = world.ingest(key)
    assert outcome["outcome"] == "rejected"
    assert reason in outcome["reason"]
    assert json.loads(world.store.get(rejection_key(key)).data)["reason"] == outcome["reason"]


def test_a_refused_upload_may_be_replaced_by_a_good_one(world: Any, build: Callable[..., bytes]) -> None:
    upload = world.upload(b"oops")
    assert world.ingest(upload.key)["outcome"] == "rejected"
    assert world.ingest(upload.key) == {"outcome": "known", "state": "rejected"}
    world.store.overwrite(upload.key, build())
    assert world.ingest(upload.key) == {"outcome": "ready", "version": 1}
    assert world.state(upload)["state"] == "ready"


@pytest.mark.slow
def test_flipped_bits_are_refused_or_served_but_never_anything_else(world: Any) -> None:
    """Real damage to a real file, all the way through ONNX Runtime: the function itself always lives on."""
    text = parser.parse_model(f"{HEADER} g (float[n,4] x) => (float[n,4] y) {{ y = Softmax (x) }}")
    text.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [4], [1, 2, 3, 4]))
    original = text.SerializeToString()
    generator = random.Random(1)  # noqa: S311
    outcomes = set()
    for _ in range(40):
        data = bytearray(original)
        data[generator.randrange(len(data))] ^= 1 << generator.randrange(8)
        outcomes.add(world.put(bytes(data))["outcome"])
    assert outcomes == {"ready", "rejected"}

"""The scan of an ONNX file's bytes, against the onnx package, and against bytes that are no ONNX."""

import mmap
import random
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import onnx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from onnx import TensorProto, helper, parser

from coldpress.ingest.graph import MAX_DEPTH, scan
from coldpress.ingest.refusal import Refused

ONNX_TESTS = Path(onnx.__file__).parent / "backend" / "test" / "data"
MODELS = sorted(ONNX_TESTS.rglob("*.onnx"))

NESTED = """
<ir_version: 10, producer_name: "pytest", producer_version: "1.0",
 opset_import: ["" : 20, "ai.onnx.ml" : 3, "local" : 1], metadata_props: ["who": "me", "what": "ü"]>
agraph (float[N,4] x, bool flag) => (float[N,4] z) {
    y = local.Twice (x)
    z = If (flag) <
        then_branch = yes () => (float[N,4] a) { a = ai.onnx.ml.Normalizer <norm="L2"> (y) },
        else_branch = no () => (float[N,4] b) { b = Relu (y) }
    >
}
<domain: "local", opset_import: ["" : 21]>
Twice (x) => (y) { y = Add (x, x) }
"""


def nested() -> onnx.ModelProto:
    return parser.parse_model(NESTED)


def operators(message: Any) -> Iterator[tuple[str, str]]:
    """The slow way: every NodeProto anywhere below a message."""
    if isinstance(message, onnx.NodeProto):
        yield message.domain, message.op_type
    for _, value in message.ListFields():
        children = value if hasattr(value, "__len__") and not isinstance(value, str | bytes) else [value]
        for child in children:
            if hasattr(child, "ListFields"):
                yield from operators(child)


def test_there_are_models_to_compare_with() -> None:
    assert len(MODELS) > 100


@pytest.mark.parametrize("path", MODELS, ids=lambda path: str(path.relative_to(ONNX_TESTS)))
def test_the_scan_agrees_with_the_onnx_package(path: Path) -> None:
    data = path.read_bytes()
    model = onnx.load_model_from_string(data)
    found = scan(data)
    assert found.ir_version == model.ir_version
    assert found.producer == f"{model.producer_name} {model.producer_version}".strip()
    assert found.operators == frozenset(operators(model))
    assert found.functions == {(f.domain, f.name) for f in model.functions}
    assert found.metadata == {entry.key: entry.value for entry in model.metadata_props}
    assert found.external == ()
    for opset in model.opset_import:
        assert found.opsets[opset.domain] >= opset.version


def test_subgraphs_functions_and_metadata_are_found() -> None:
    found = scan(nested().SerializeToString())
    assert found.operators == {
        ("", "Add"),
        ("", "If"),
        ("", "Relu"),
        ("ai.onnx.ml", "Normalizer"),
        ("local", "Twice"),
    }
    assert found.functions == {("local", "Twice")}
    assert found.opsets == {"": 21, "ai.onnx.ml": 3, "local": 1}
    assert found.metadata == {"who": "me", "what": "ü"}
    assert found.producer == "pytest 1.0"


def test_a_mapped_file_reads_like_bytes(tmp_path: Path) -> None:
    data = nested().SerializeToString()
    (tmp_path / "model.onnx").write_bytes(data)
    with (
        (tmp_path / "model.onnx").open("rb") as file,
        mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as mapped,
    ):
        assert scan(mapped) == scan(data)


def outside(location: str | None) -> TensorProto:
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[4])
    tensor.data_location = TensorProto.EXTERNAL
    if location is not None:
        tensor.external_data.add(key="offset", value="0")
        tensor.external_data.add(key="location", value=location)
    return tensor


def in_initializer(graph: onnx.GraphProto, tensor: TensorProto) -> None:
    graph.initializer.append(tensor)


def in_attribute(graph: onnx.GraphProto, tensor: TensorProto) -> None:
    graph.node.append(helper.make_node("Constant", [], ["c"], value=tensor))


def in_sparse(graph: onnx.GraphProto, tensor: TensorProto) -> None:
    graph.sparse_initializer.add().values.CopyFrom(tensor)


def in_subgraph(graph: onnx.GraphProto, tensor: TensorProto) -> None:
    graph.node[1].attribute[0].g.initializer.append(tensor)


@pytest.mark.parametrize("location", ["weights.data", "/etc/passwd", "../w", None])
@pytest.mark.parametrize("place", [in_initializer, in_attribute, in_sparse, in_subgraph])
def test_external_tensors_are_found_wherever_they_hide(place: Any, location: str | None) -> None:
    model = nested()
    place(model.graph, outside(location))
    assert scan(model.SerializeToString()).external == (location or "",)


def test_every_truncation_is_refused_or_leaves_a_shorter_model() -> None:
    data = nested().SerializeToString()
    complete = 0
    reasons = set()
    for length in range(len(data)):
        part = data[:length]
        try:
            found = scan(part)
        except Refused as refused:
            reasons.add(str(refused).partition(":")[0])
        else:
            # Cut between two fields: what is left is a message, and protobuf says so too.
            assert found.ir_version == onnx.load_model_from_string(part).ir_version
            complete += 1
    assert complete < 10
    assert reasons == {"truncated", "this is no ONNX model"}


def test_truncation_of_a_large_tensor_says_where_the_file_ends() -> None:
    model = nested()
    model.graph.initializer.append(helper.make_tensor("w", TensorProto.FLOAT, [5000], bytes(20000), raw=True))
    data = model.SerializeToString()
    with pytest.raises(
        Refused, match=r"truncated: the file ends after 9000 bytes, .* reaches to byte 2\d{4};"
    ):
        scan(data[:9000])


@given(st.binary(max_size=400))
@example(b"\x08")
@example(b"\x08\x0a\x3a\x00")
@example(b"\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01")
def test_random_bytes_never_crash_the_scan(data: bytes) -> None:
    try:
        scan(data)
    except Refused as refused:
        assert str(refused)  # noqa: PT017 - any other exception fails the test


@given(st.data())
def test_damaged_models_never_crash_the_scan(data: st.DataObject) -> None:
    model = bytearray(nested().SerializeToString())
    for _ in range(data.draw(st.integers(1, 8))):
        model[data.draw(st.integers(0, len(model) - 1))] = data.draw(st.integers(0, 255))
    try:
        scan(bytes(model))
    except Refused as refused:
        assert str(refused)  # noqa: PT017


def test_the_scan_reads_what_protobuf_reads() -> None:
    """Flipped bits: both parsers agree on whether there is a model with a graph.

    Inside parts that the scan steps over only protobuf looks. Deprecated groups only protobuf reads: no
    exporter writes them, and one flipped bit in a thousand makes one.
    """
    original = nested().SerializeToString()
    generator = random.Random(5)  # noqa: S311
    outcomes: Counter[tuple[bool, bool]] = Counter()
    for _ in range(3000):
        data = bytearray(original)
        data[generator.randrange(2, len(data))] ^= 1 << generator.randrange(8)
        outcomes[has_graph(bytes(data)), is_read(bytes(data))] += 1
    assert outcomes[True, True] > 1000
    assert outcomes[False, False] > 100
    assert outcomes[True, False] < 10


def has_graph(data: bytes) -> bool:
    try:
        return bool(onnx.load_model_from_string(data).HasField("graph"))
    except Exception:
        return False


def is_read(data: bytes) -> bool:
    try:
        scan(data)
    except Refused:
        return False
    return True


def test_nesting_has_a_limit() -> None:
    graph = b""
    for _ in range(MAX_DEPTH):
        # graph.node.attribute.g
        for tag in (b"\x32", b"\x2a", b"\x0a"):
            graph = tag + length(graph) + graph
    with pytest.raises(Refused, match="nested more than 100 messages deep"):
        scan(b"\x08\x0a\x3a" + length(graph) + graph)


def length(data: bytes) -> bytes:
    """A varint."""
    value, encoded = len(data), bytearray()
    while value > 0x7F:
        encoded.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*encoded, value])


def test_metadata_has_a_limit() -> None:
    model = nested()
    model.metadata_props.add(key="big", value="x" * (2 << 20))
    with pytest.raises(Refused, match=r"metadata 'big' has a value of 2097152 bytes, the limit is 1048576"):
        scan(model.SerializeToString())


@pytest.mark.parametrize(
    ("head", "what"),
    [
        (b"PK\x03\x04" + bytes(30), "zip archive.*torch.onnx.export"),
        (b"\x89HDF\r\n\x1a\n", "HDF5.*tf2onnx"),
        (b"\x80\x04\x95\x10\x00", "pickle"),
        (b"\x1f\x8b\x08\x00", "gzip"),
        (b"GGUF\x03\x00", "GGUF"),
        (b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        (b"<!DOCTYPE html>", "web page"),
        (b'{"producer": 1}', "JSON"),
        (b"\x1c\x00\x00\x00TFL3", "TensorFlow Lite"),
        (b"\x18\x00\x00\x00ORTM", r"\.ort format"),
        (b"\x08\x01\x00\x00\x00\x00\x00\x00" + b'{"a":', "safetensors"),
        (b"hello", "68 65 6c 6c 6f"),
    ],
)
def test_files_of_other_kinds_are_named(head: bytes, what: str) -> None:
    with pytest.raises(Refused, match=f"^this is no ONNX model: .*{what}"):
        scan(head)


def test_a_model_without_a_graph_is_truncated() -> None:
    with pytest.raises(Refused, match="truncated: the file ends after 2 bytes, before its graph"):
        scan(b"\x08\x0a")

"""What an ONNX file needs, read from its bytes: no tensor is touched and nothing is executed.

The checks come before ONNX Runtime sees the file, because that is where paths out of an upload have been
exploited (CVE-2025-51480) and because its own errors rarely say what to do.
Field numbers: https://github.com/onnx/onnx/blob/v1.19.1/onnx/onnx.proto
"""

from typing import NamedTuple

from coldpress.ingest.refusal import Refused
from coldpress.ingest.wire import LENGTH, VARINT, Broken, Bytes, fields

MAX_DEPTH = 100
"""Protobuf's own limit of nesting."""
MAX_METADATA_BYTES = 1 << 20
MAX_NAME_BYTES = 1024
EXTERNAL = 1
"""`TensorProto.DataLocation.EXTERNAL`."""

# Per message: field number -> a message below, or the name of a value that is kept.
# Whatever is not listed (shapes, tensor data, documentation) is stepped over.
SCHEMA: dict[str, dict[int, str]] = {
    "Model": {
        1: "ir_version",
        2: "producer_name",
        3: "producer_version",
        7: "Graph",
        8: "Opset",
        14: "Metadata",
        20: "Training",
        25: "Function",
    },
    "Graph": {1: "Node", 5: "Tensor", 15: "SparseTensor"},
    "Node": {4: "op_type", 7: "domain", 5: "Attribute"},
    "Attribute": {5: "Tensor", 6: "Graph", 10: "Tensor", 11: "Graph", 22: "SparseTensor", 23: "SparseTensor"},
    "Tensor": {13: "External", 14: "data_location"},
    "SparseTensor": {1: "Tensor", 2: "Tensor"},
    "External": {1: "key", 2: "value"},
    "Opset": {1: "domain", 2: "version"},
    "Metadata": {1: "key", 2: "value"},
    "Training": {1: "Graph", 2: "Graph"},
    "Function": {1: "name", 10: "domain", 7: "Node", 11: "Attribute", 9: "FunctionOpset"},
    "FunctionOpset": {1: "domain", 2: "version"},
}
_RECURRENT = frozenset({"GRU", "LSTM", "AttnLSTM"})
"""For no step or no row, ONNX Runtime 1.31 ends the process ("terminate called …"). Its RNN does not."""
WHOLE_NUMBERS = frozenset({"ir_version", "version", "data_location"})

# What people upload by mistake: (position, bytes there, what it is and what to do).
FOREIGN: tuple[tuple[int, bytes, str], ...] = (
    (0, b"PK\x03\x04", "it is a zip archive, such as a PyTorch checkpoint; export it with torch.onnx.export"),
    (0, b"\x89HDF", "it is an HDF5 file, such as a Keras model; convert it with tf2onnx"),
    (0, b"\x80", "it looks like a Python pickle; export the model with torch.onnx.export or skl2onnx"),
    (0, b"\x1f\x8b", "it is compressed with gzip; upload the ONNX file itself"),
    (0, b"GGUF", "it is a GGUF file; export the model to ONNX"),
    (0, b"version https://git-lfs", "it is a Git LFS pointer; run `git lfs pull` and upload the file itself"),
    (0, b"<", "it is HTML or XML, perhaps a web page saved in place of the download"),
    (0, b"{", "it is JSON text; upload the binary ONNX file"),
    (4, b"TFL3", "it is a TensorFlow Lite model; convert it with tf2onnx"),
    (4, b"ORTM", "it is in ONNX Runtime's own .ort format; upload the ONNX file it was made from"),
    (8, b'{"', "it is a safetensors file, weights without a graph; export the model to ONNX"),
)


class Scan(NamedTuple):
    """What an ONNX file says of itself."""

    ir_version: int
    producer: str
    opsets: dict[str, int]
    """Operator set version by domain; the default domain is `""`."""
    operators: frozenset[tuple[str, str]]
    """(domain, operator) of every node, at any depth."""
    functions: frozenset[tuple[str, str]]
    """(domain, name) of the functions that the model brings along."""
    external: tuple[str, ...]
    """Where tensors kept outside of the file are said to be, in order of appearance."""
    metadata: dict[str, str]

    @property
    def refuses_empty(self) -> bool:
        """See `registry.Manifest`."""
        return any(operator in _RECURRENT for _, operator in self.operators)


def scan(data: Bytes) -> Scan:
    """Reads `data` as an ONNX `ModelProto`.

    Raises:
        Refused: it is none, it is cut off, it is damaged, or it is nested too deeply.
    """
    scanner = _Scanner(data)
    try:
        scanner.message("Model", 0, len(data), 0)
    except Broken as broken:
        raise Refused(_why_broken(data, broken, like_onnx=scanner.looks_like_onnx)) from None
    if not scanner.looks_like_onnx:
        raise Refused(_foreign(data))
    if not scanner.graphs:
        raise Refused(f"truncated: the file ends after {len(data)} bytes, before its graph; upload it again")
    return Scan(
        ir_version=scanner.ir_version,
        producer=f"{scanner.producer_name} {scanner.producer_version}".strip(),
        opsets=scanner.opsets,
        operators=frozenset(scanner.operators),
        functions=frozenset(scanner.functions),
        external=tuple(scanner.external),
        metadata=scanner.metadata,
    )


class _Scanner:
    """Walks the messages of `SCHEMA` and notes what `Scan` tells."""

    def __init__(self, data: Bytes) -> None:
        self.data = data
        self.ir_version = 0
        self.producer_name = ""
        self.producer_version = ""
        self.graphs = 0
        self.opsets: dict[str, int] = {}
        self.operators: set[tuple[str, str]] = set()
        self.functions: set[tuple[str, str]] = set()
        self.external: list[str] = []
        self.metadata: dict[str, str] = {}

    @property
    def looks_like_onnx(self) -> bool:
        """The IR version comes first in a serialised model, and every exporter sets it."""
        return self.ir_version > 0

    def message(self, kind: str, start: int, end: int, depth: int) -> None:
        """Reads one message. As in protobuf, of a value given twice the last counts, of a message all."""
        if depth > MAX_DEPTH:
            raise Refused(
                f"the graph is nested more than {MAX_DEPTH} messages deep; simplify its control flow"
            )
        known = SCHEMA[kind]
        values: dict[str, str] = {}
        numbers: dict[str, int] = {}
        for number, wire, a, b in fields(self.data, start, end):
            name = known.get(number)
            if name is None:
                continue
            if wire == LENGTH and name in SCHEMA:
                self.message(name, a, b, depth + 1)
            elif wire == VARINT and name in WHOLE_NUMBERS:
                numbers[name] = a - (1 << 64) if a >> 63 else a
                if kind == "Model":
                    self.ir_version = numbers[name]
            elif wire == LENGTH and name not in WHOLE_NUMBERS:
                values[name] = self._text(kind, name, a, b, values)
        self._note(kind, values, numbers)

    def _text(self, kind: str, name: str, a: int, b: int, values: dict[str, str]) -> str:
        limit = MAX_METADATA_BYTES if kind == "Metadata" and name == "value" else MAX_NAME_BYTES
        if b - a > limit and kind == "Metadata":
            raise Refused(
                f"metadata {values.get('key', '')!r} has a {name} of {b - a} bytes, the limit is {limit}; "
                "shorten it (metadata_props)"
            )
        return self.data[a : min(b, a + limit)].decode("utf-8", "replace")

    def _note(self, kind: str, values: dict[str, str], numbers: dict[str, int]) -> None:
        match kind:
            case "Node":
                self.operators.add((values.get("domain", ""), values.get("op_type", "")))
            case "Graph":
                self.graphs += 1
            case "Function":
                self.functions.add((values.get("domain", ""), values.get("name", "")))
            case "Opset":
                self.opsets[values.get("domain", "")] = numbers.get("version", 0)
            case "FunctionOpset":
                domain = values.get("domain", "")
                self.opsets[domain] = max(self.opsets.get(domain, 0), numbers.get("version", 0))
            case "External" if values.get("key") == "location":
                self.external.append(values.get("value", ""))
            case "Tensor" if numbers.get("data_location") == EXTERNAL and not self.external:
                self.external.append("")
            case "Metadata":
                self.metadata[values.get("key", "")] = values.get("value", "")
            case "Model":
                self.producer_name = values.get("producer_name", "")
                self.producer_version = values.get("producer_version", "")


def _why_broken(data: Bytes, broken: Broken, *, like_onnx: bool) -> str:
    if not like_onnx or _known_kind(data):
        return _foreign(data)
    if broken.end > len(data):
        return (
            f"truncated: the file ends after {len(data)} bytes, inside a part that reaches to byte "
            f"{broken.end}; upload it again"
        )
    return (
        f"damaged: the file stops making sense at byte {broken.at} of {len(data)}; "
        "check that onnx.checker.check_model accepts it, then upload it again"
    )


def _foreign(data: Bytes) -> str:
    what = _known_kind(data)
    if not what:
        what = f"its first bytes are {data[:8].hex(' ')}, where an ONNX file starts with 08"
    return f"this is no ONNX model: {what}"


def _known_kind(data: Bytes) -> str:
    for position, magic, what in FOREIGN:
        if data[position : position + len(magic)] == magic:
            return what
    return ""

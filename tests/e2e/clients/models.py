"""Models for the clients' tests, in ONNX's text form."""

import onnx
from onnx import parser

HEADER = '<ir_version: 10, opset_import: ["" : 21]>'


def model(text: str, **metadata: str) -> onnx.ModelProto:
    made = parser.parse_model(HEADER + text)
    onnx.helper.set_model_props(made, {f"coldpress.{key}": value for key, value in metadata.items()})
    return made


def mirror() -> onnx.ModelProto:
    """Answers each input under its name and `_out`: one of each kind of encoding."""
    kinds = {"f": "float", "h": "float16", "b": "bfloat16", "q": "bool", "l": "int64", "t": "string"}
    inputs = ", ".join(f"{kind}[n,m] {name}" for name, kind in kinds.items())
    outputs = ", ".join(f"{kind}[n,m] {name}_out" for name, kind in kinds.items())
    nodes = " ".join(f"{name}_out = Identity ({name})" for name in [*kinds, "s"])
    return model(f"g ({inputs}, double s) => ({outputs}, double s_out) {{ {nodes} }}")


def scores() -> onnx.ModelProto:
    """x: FP32 [n, 3] -> the same as scores of cat, dog and cow."""
    return model(
        "g (float[n,3] x) => (float[n,3] scores) { scores = Identity (x) }", labels='["cat", "dog", "cow"]'
    )

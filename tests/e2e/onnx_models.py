"""Small ONNX models for the end-to-end tests, made with the onnx package."""

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

OPSET = 21
IR = 10


def model(graph: onnx.GraphProto, *, opset: int = OPSET, ir: int = IR, **metadata: str) -> onnx.ModelProto:
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
    helper.set_model_props(made, {f"coldpress.{key}": value for key, value in metadata.items()})
    return made


def linear(factor: float = 2.0, **options) -> onnx.ModelProto:
    """y = factor * x for x: FP32 [batch, 3]."""
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", 3])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", 3])
    weight = numpy_helper.from_array(np.float32(factor), "factor")
    node = helper.make_node("Mul", ["x", "factor"], ["y"])
    return model(helper.make_graph([node], "linear", [x], [y], [weight]), **options)


def shouting(**options) -> onnx.ModelProto:
    """shouted = upper(text) for text: BYTES [batch]."""
    text = helper.make_tensor_value_info("text", TensorProto.STRING, ["batch"])
    shouted = helper.make_tensor_value_info("shouted", TensorProto.STRING, ["batch"])
    node = helper.make_node(
        "StringNormalizer", ["text"], ["shouted"], case_change_action="UPPER", locale="C.UTF-8"
    )
    return model(helper.make_graph([node], "shouting", [text], [shouted]), **options)


def external(location: str) -> onnx.ModelProto:
    """`linear`, with its weight in a file beside it."""
    made = linear()
    weight = made.graph.initializer[0]
    weight.ClearField("raw_data")
    weight.data_location = TensorProto.EXTERNAL
    for key, value in (("location", location), ("offset", "0"), ("length", "4")):
        entry = weight.external_data.add()
        entry.key, entry.value = key, value
    return made


def custom_operator() -> onnx.ModelProto:
    made = linear()
    made.graph.node[0].domain = "com.example"
    made.opset_import.append(helper.make_opsetid("com.example", 1))
    return made


def big(megabytes: int = 64) -> onnx.ModelProto:
    """One matrix product whose weight has about `megabytes`; its ingest takes a noticeable while."""
    rows = 1024
    columns = megabytes * (1 << 20) // (rows * 4)
    rng = np.random.default_rng(0)
    x = helper.make_tensor_value_info("x", TensorProto.FLOAT, ["batch", rows])
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["batch", columns])
    weight = numpy_helper.from_array(rng.standard_normal((rows, columns), dtype=np.float32), "w")
    node = helper.make_node("MatMul", ["x", "w"], ["y"])
    return model(helper.make_graph([node], "big", [x], [y], [weight]))


def counting() -> onnx.ModelProto:
    """y = n, found by counting up to n: INT64 [1]. As slow as one asks for."""
    scalar = [helper.make_tensor_value_info(name, TensorProto.INT64, []) for name in ("i", "c", "next")]
    go, go_on = (helper.make_tensor_value_info(name, TensorProto.BOOL, []) for name in ("go", "go_on"))
    step = [
        helper.make_node("Identity", ["go"], ["go_on"]),
        helper.make_node("Add", ["c", "one"], ["next"]),
    ]
    one = numpy_helper.from_array(np.int64(1), "one")
    body = helper.make_graph(step, "step", [scalar[0], go, scalar[1]], [go_on, scalar[2]], [one])
    zero = numpy_helper.from_array(np.int64(0), "zero")
    nodes = [
        helper.make_node("Squeeze", ["n"], ["times"]),
        helper.make_node("Loop", ["times", "", "zero"], ["counted"], body=body),
        helper.make_node("Reshape", ["counted", "shape"], ["y"]),
    ]
    shape = numpy_helper.from_array(np.array([1], np.int64), "shape")
    n, y = (helper.make_tensor_value_info(name, TensorProto.INT64, [1]) for name in ("n", "y"))
    return model(helper.make_graph(nodes, "counting", [n], [y], [zero, shape]))

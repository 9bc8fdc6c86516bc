"""Small ONNX models, and plain onnxruntime to compare with."""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import onnxruntime
import pytest
from onnx import NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from coldpress.ort import Library, Session, SessionOptions, library_path
from coldpress.tensors import BY_ONNX, DATATYPES, Tensor


@pytest.fixture(scope="session")
def library() -> Library:
    return Library.open(library_path())


class Build:
    """Short names for onnx.helper."""

    FLOAT, INT64, BOOL, STRING = TensorProto.FLOAT, TensorProto.INT64, TensorProto.BOOL, TensorProto.STRING
    node = staticmethod(helper.make_node)
    graph = staticmethod(helper.make_graph)
    value = staticmethod(helper.make_tensor_value_info)

    @staticmethod
    def model(
        nodes: Sequence[NodeProto],
        inputs: Sequence[ValueInfoProto],
        outputs: Sequence[ValueInfoProto],
        weights: dict[str, np.ndarray] | None = None,
        opset: int = 21,
        metadata: dict[str, str] | None = None,
    ) -> bytes:
        """The bytes of a model."""
        initializers = [numpy_helper.from_array(array, name) for name, array in (weights or {}).items()]
        model = helper.make_model(
            helper.make_graph(list(nodes), "test", list(inputs), list(outputs), initializers),
            opset_imports=[helper.make_opsetid("", opset), helper.make_opsetid("ai.onnx.ml", 3)],
            ir_version=10,
        )
        helper.set_model_props(model, metadata or {})
        return bytes(model.SerializeToString())

    def unary(self, operator: str, element: int = TensorProto.FLOAT, shape: Any = ("n",)) -> bytes:
        """x -> operator -> y, same type and shape."""
        return self.model(
            [self.node(operator, ["x"], ["y"])],
            [self.value("x", element, shape)],
            [self.value("y", element, shape)],
        )

    def endless(self) -> bytes:
        """Applies Sin `count` times to `x`, one graph node after the other."""
        body = self.graph(
            [self.node("Identity", ["go"], ["go_on"]), self.node("Sin", ["a"], ["b"])],
            "body",
            [
                self.value("i", self.INT64, ()),
                self.value("go", self.BOOL, ()),
                self.value("a", self.FLOAT, [4]),
            ],
            [self.value("go_on", self.BOOL, ()), self.value("b", self.FLOAT, [4])],
        )
        return self.model(
            [self.node("Loop", ["count", "", "x"], ["y"], body=body)],
            [self.value("count", self.INT64, ()), self.value("x", self.FLOAT, [4])],
            [self.value("y", self.FLOAT, [4])],
        )


@pytest.fixture(scope="session")
def build() -> Build:
    return Build()


def to_tensor(name: str, value: np.ndarray) -> Tensor:
    """A numpy array as a Tensor; an array of str or bytes objects as BYTES."""
    if value.dtype == object:
        flat = [item.encode() if isinstance(item, str) else item for item in value.ravel().tolist()]
        return Tensor(name, "BYTES", value.shape, flat)
    onnx_type = helper.np_dtype_to_tensor_dtype(value.dtype)
    return Tensor(name, BY_ONNX[onnx_type].name, value.shape, np.ascontiguousarray(value).data)


@pytest.fixture(scope="session")
def tensor() -> Callable[[str, Any], Tensor]:
    """name, array-like -> Tensor."""
    return lambda name, value: to_tensor(name, np.asarray(value))


@pytest.fixture(scope="session")
def tensors() -> Callable[..., list[Tensor]]:
    """name=array … -> Tensors."""
    return lambda **arrays: [to_tensor(name, np.asarray(value)) for name, value in arrays.items()]


@pytest.fixture(scope="session")
def array() -> Callable[[Tensor], Any]:
    """A numeric Tensor as a numpy array."""

    def read(tensor: Tensor) -> Any:
        element = helper.tensor_dtype_to_np_dtype(DATATYPES[tensor.datatype].onnx)
        return np.frombuffer(tensor.data, element).reshape(tensor.shape)  # type: ignore[call-overload]

    return read


@pytest.fixture(scope="session")
def agree(library: Library) -> Callable[..., list[Tensor]]:
    """Runs a model here and in plain onnxruntime; names, datatypes, shapes and bytes must be the same."""

    def run(model: bytes, **arrays: Any) -> list[Tensor]:
        feeds = {name: np.asarray(value) for name, value in arrays.items()}
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        peer = onnxruntime.InferenceSession(model, options)
        names = [output.name for output in peer.get_outputs()]
        expected = [to_tensor(*pair) for pair in zip(names, peer.run(None, feeds), strict=True)]
        with Session.open(library, model, SessionOptions()) as session:
            found = session.run([to_tensor(name, value) for name, value in feeds.items()])
        assert found == expected
        return found

    return run

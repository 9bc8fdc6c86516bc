"""A trained network -> one ONNX graph from the raw input to label and scores, or to a value."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import onnx
import torch
from onnx import TensorProto, compose, helper
from torch import Tensor, nn

from coldpress_build.data.dataset import Dataset
from coldpress_build.engine import Trained
from coldpress_build.errors import BuildError
from coldpress_build.quiet import quiet
from coldpress_build.serving import Array, ServedModel, tensor_of
from coldpress_build.text.nodes import Nodes

# onnx 1.23 would write IR 14 and opset 28; ONNX Runtime 1.31.1 reads IR 13 and opset 26. Older is wider read:
# opset 20 is the first with StringSplit and StringConcat.
IR_VERSION = 10
OPSETS = {"": 20, "ai.onnx.ml": 4}

OUTPUTS = ("label", "scores", "value")
CHOSEN = "answer/class"
"""An output of the network alone. torch names values after its operators, which have no /."""

TOLERANCE = 1e-5
"""Largest difference of a score between the training framework and the served graph; of a value, as a share
of it or of the target's own scale."""
MAX_BYTES = 1_500_000_000
"""Of a model in one file: protobuf ends at 2 GiB, and whoever reads it holds it more than once."""
CHECKED_ROWS = 200
CHECKED_BATCHES = (1, 2, 7)


@dataclass(frozen=True)
class Port:
    """An input of a network: an example with a batch of 2, and a name for each dimension that may have any
    size, "" for the others."""

    name: str
    example: Tensor
    dimensions: tuple[str, ...]


class _Served(nn.Module):
    """Adds to a network what is served: scores that sum to 1 and the index of the largest, or a value."""

    def __init__(self, network: nn.Module, classes: int, shift: float, factor: float) -> None:
        super().__init__()
        self.network = network
        self.classes = classes
        self.shift, self.factor = shift, factor

    def forward(self, *inputs: Tensor) -> tuple[Tensor, ...]:
        answer = self.network(*inputs)
        if not self.classes:
            return (answer * self.factor + self.shift,)
        scores = answer.softmax(-1)
        return scores, scores.argmax(-1)


def served_graph(
    network: nn.Module,
    ports: Sequence[Port],
    classes: Sequence[str],
    *,
    name: str,
    front: onnx.GraphProto | None = None,
    shift: float = 0.0,
    factor: float = 1.0,
) -> onnx.ModelProto:
    """A network and what comes before it as one model; after it come the class names, or shift and factor.

    `front` is a graph from raw inputs to outputs of the ports' names; without it the ports are the inputs.
    """
    graph = _network(_Served(network, len(classes), shift, factor), ports, bool(classes))
    if front is not None:
        # Names of inputs are the user's: none of torch's may be the same.
        graph = compose.add_prefix_graph(graph, "network/", rename_outputs=False)
        graph = compose.merge_graphs(front, graph, [(port.name, f"network/{port.name}") for port in ports])
    if classes:
        graph = compose.merge_graphs(graph, _names(classes), [(CHOSEN, CHOSEN)], outputs=["scores", "label"])
    del graph.output[:]
    graph.output.extend(_outputs(classes))
    graph.name = name
    return helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in OPSETS.items()],
        producer_name="coldpress",
    )


def _outputs(classes: Sequence[str]) -> list[onnx.ValueInfoProto]:
    if not classes:
        return [helper.make_tensor_value_info("value", TensorProto.FLOAT, ["batch"])]
    return [
        helper.make_tensor_value_info("label", TensorProto.STRING, ["batch"]),
        helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", len(classes)]),
    ]


def _names(classes: Sequence[str]) -> onnx.GraphProto:
    """The index of the class [batch] -> `label` [batch]."""
    names = Nodes("answer")
    names.add("Gather", names.texts(*classes), CHOSEN, axis=0)
    names.nodes[-1].output[0] = "label"
    return helper.make_graph(
        names.nodes,
        "answer",
        [helper.make_tensor_value_info(CHOSEN, TensorProto.INT64, ["batch"])],
        [helper.make_tensor_value_info("label", TensorProto.STRING, ["batch"])],
        names.constants,
    )


def _network(served: nn.Module, ports: Sequence[Port], classifies: bool) -> onnx.GraphProto:
    variable = tuple({place: name for place, name in enumerate(port.dimensions) if name} for port in ports)
    with quiet():
        program = torch.onnx.export(
            served.eval(),
            tuple(port.example for port in ports),
            dynamo=True,
            opset_version=OPSETS[""],
            input_names=[port.name for port in ports],
            output_names=["scores", CHOSEN] if classifies else ["value"],
            dynamic_shapes=(variable,),
            external_data=False,
            verbose=False,
        )
    model = program.model_proto  # type: ignore[union-attr]
    versions = {opset.domain: opset.version for opset in model.opset_import}
    if versions.get("") != OPSETS[""] or model.functions:
        raise BuildError(
            f"torch exported {versions} with {len(model.functions)} functions; opset 20 alone is served"
        )
    # torch writes down the shapes of weights too, which onnxruntime's quantizer leaves as they were when it
    # transposes a weight: it then rejects its own result. ONNX infers every shape again.
    del model.graph.value_info[:]
    return model.graph


def within_limit(model: onnx.ModelProto) -> onnx.ModelProto:
    """The same model. Raises `BuildError` if it is larger than one file can be."""
    if (size := model.ByteSize()) > MAX_BYTES:
        raise BuildError(
            f"the model has {size:,} bytes, and one file takes {MAX_BYTES:,}; make the network smaller: half "
            "the width of its layers"
        )
    return model


def warm_up(inputs: Mapping[str, Array]) -> dict[str, Any]:
    """A request in the Open Inference Protocol's JSON that asks for these."""
    tensors = [tensor_of(name, array) for name, array in inputs.items()]
    return {
        "inputs": [
            {
                "name": t.name,
                "shape": list(t.shape),
                "datatype": t.datatype,
                "data": inputs[t.name].ravel().tolist(),
            }
            for t in tensors
        ]
    }


def with_metadata(model: onnx.ModelProto, metadata: Mapping[str, Any]) -> onnx.ModelProto:
    """The same model, with these among its `metadata_props`: text as it is, anything else as JSON."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    merged = {entry.key: entry.value for entry in model.metadata_props}
    for key, value in metadata.items():
        merged[key] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    helper.set_model_props(copy, merged)
    return copy


def check(model: onnx.ModelProto, trained: Trained, data: Dataset) -> float:
    """Compares the served graph with the training framework, and batches of several sizes with each other.

    `data` are rows to ask for, `CHECKED_ROWS` at most; where the graph takes a variable length, longer ones
    made of them too.

    Returns:
        The largest difference of a score, or of a value as a share (see `_scale`).

    Raises:
        BuildError: the model breaks ONNX's rules, or an answer differs by more than TOLERANCE.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.checker.ValidationError as error:
        raise BuildError(f"the exported graph breaks ONNX's rules: {error}") from error
    served = ServedModel.open(model.SerializeToString())
    asked = {
        f"a batch of {size}": data.take(range(min(size, len(data))))
        for size in (*CHECKED_BATCHES, CHECKED_ROWS)
    }
    if trained.prepared.longer is not None:
        asked["lengths never seen"] = trained.prepared.longer(data.take(range(min(7, len(data)))))
    return max(_compare(served, trained, rows, said) for said, rows in asked.items())


def _compare(served: ServedModel, trained: Trained, rows: Dataset, said: str) -> float:
    answer = served.run(trained.prepared.table(rows))
    given, wanted = answer["scores" if rows.classes else "value"], trained.scores(rows)
    if given.shape != wanted.shape:
        raise BuildError(f"the exported graph answers {given.shape} in {said}, not {wanted.shape}")
    difference = float((np.abs(given - wanted) / _scale(wanted, trained, rows)).max())
    if not difference <= TOLERANCE:
        raise BuildError(
            f"the exported graph answers {difference:g} apart from the trained network in {said}; at most "
            f"{TOLERANCE:g} is allowed"
        )
    if rows.classes and answer["label"].tolist() != [rows.classes[index] for index in given.argmax(1)]:
        raise BuildError(f"the exported graph's labels are not those of its scores in {said}")
    return difference


def _scale(wanted: Array, trained: Trained, rows: Dataset) -> Array:
    """What a difference is a share of: 1 for scores; a value itself, at least the target's middle and spread.

    A value is `answer * factor + shift`, rounded on the scale of its parts: one that happens to be near 0 is
    as far off as the others, and must not be divided by next to nothing.
    """
    if rows.classes:
        return np.ones_like(wanted)
    return np.maximum(np.abs(wanted), abs(trained.prepared.shift) + trained.prepared.factor)

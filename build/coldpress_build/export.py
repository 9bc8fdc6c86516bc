"""A trained network -> one ONNX graph from the raw input to label and scores."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import onnx
import torch
from numpy.typing import NDArray
from onnx import TensorProto, compose, helper
from torch import Tensor, nn

from coldpress_build.errors import BuildError
from coldpress_build.quiet import quiet
from coldpress_build.serving import ServedModel
from coldpress_build.text.graph import text_graph
from coldpress_build.text.nodes import Nodes
from coldpress_build.text.tokeniser import Tokeniser

# onnx 1.23 would write IR 14 and opset 28; ONNX Runtime 1.31.1 reads IR 13 and opset 26. Older is wider read:
# opset 20 is the first with StringSplit and StringConcat.
IR_VERSION = 10
OPSETS = {"": 20, "ai.onnx.ml": 4}

TOLERANCE = 1e-5
"""Largest difference of a score between the training framework and the served graph."""
CHECKED_ROWS = 200
CHECKED_BATCHES = (1, 2, 7)


class _Answer(nn.Module):
    """Logits -> what is served: scores [batch, classes] that sum to 1, and the index of the largest."""

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, ids: Tensor) -> tuple[Tensor, Tensor]:
        scores = self.network(ids).softmax(-1)
        return scores, scores.argmax(-1)


def classifier_from_text(network: nn.Module, tokeniser: Tokeniser, classes: Sequence[str]) -> onnx.ModelProto:
    """`text` (string [batch]) -> `label` (string [batch]) and `scores` (float [batch, classes])."""
    middle = _network(network)
    names = Nodes("answer")
    names.add("Gather", names.texts(*classes), "index", axis=0)
    names.nodes[-1].output[0] = "label"
    tail = helper.make_graph(
        names.nodes,
        "answer",
        [helper.make_tensor_value_info("index", TensorProto.INT64, ["batch"])],
        [helper.make_tensor_value_info("label", TensorProto.STRING, ["batch"])],
        names.constants,
    )
    graph = compose.merge_graphs(text_graph(tokeniser), middle, [("ids", "ids")])
    graph = compose.merge_graphs(graph, tail, [("index", "index")], outputs=["scores", "label"])
    graph.name = "text_classifier"
    outputs = {output.name: output for output in graph.output}
    del graph.output[:]
    graph.output.extend(
        [
            outputs["label"],
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, ["batch", len(classes)]),
        ]
    )
    return helper.make_model(
        graph,
        ir_version=IR_VERSION,
        opset_imports=[helper.make_opsetid(domain, version) for domain, version in OPSETS.items()],
        producer_name="coldpress",
    )


def _network(network: nn.Module) -> onnx.GraphProto:
    batch, words = torch.export.Dim.DYNAMIC, torch.export.Dim.DYNAMIC
    with quiet():
        program = torch.onnx.export(
            _Answer(network).eval(),
            (torch.ones(2, 7, dtype=torch.int64),),
            dynamo=True,
            opset_version=OPSETS[""],
            input_names=["ids"],
            output_names=["scores", "index"],
            dynamic_shapes={"ids": {0: batch, 1: words}},
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


def with_metadata(model: onnx.ModelProto, metadata: Mapping[str, Any]) -> onnx.ModelProto:
    """The same model, with these among its `metadata_props`: text as it is, anything else as JSON."""
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    merged = {entry.key: entry.value for entry in model.metadata_props}
    for key, value in metadata.items():
        merged[key] = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    helper.set_model_props(copy, merged)
    return copy


def check(
    model: onnx.ModelProto,
    table: Mapping[str, NDArray[Any]],
    expected: NDArray[np.float32],
    classes: Sequence[str],
) -> float:
    """Compares the served graph with the training framework, and batches of several sizes with each other.

    Returns:
        The largest difference of a score.

    Raises:
        BuildError: the model breaks ONNX's rules, or an answer differs by more than TOLERANCE.
    """
    try:
        onnx.checker.check_model(model, full_check=True)
    except onnx.checker.ValidationError as error:
        raise BuildError(f"the exported graph breaks ONNX's rules: {error}") from error
    served = ServedModel.open(model.SerializeToString())
    worst = 0.0
    for size in (*CHECKED_BATCHES, CHECKED_ROWS):
        rows = {name: column[:size] for name, column in table.items()}
        answer = served.run(rows)
        scores, wanted = answer["scores"], expected[:size]
        difference = float(np.abs(scores - wanted).max())
        if scores.shape != wanted.shape or not difference <= TOLERANCE:
            raise BuildError(
                f"the exported graph answers {difference:g} apart from the trained network in a batch of "
                f"{size}; at most {TOLERANCE:g} is allowed"
            )
        if answer["label"].tolist() != [classes[index] for index in scores.argmax(1)]:
            raise BuildError(f"the exported graph's labels are not those of its scores in a batch of {size}")
        worst = max(worst, difference)
    return worst

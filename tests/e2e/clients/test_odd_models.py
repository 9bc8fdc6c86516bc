"""Models with odd names, dimensions and outputs: published by the command line, asked by tritonclient."""

from typing import Any

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper
from tritonclient import http

from ..targets.deployment import Deployment

NAME, OUT, TEXT = "serving_default_x:0/in put", "StatefulPartitionedCall:0/ünd", "texts/in:1"


def odd() -> onnx.ModelProto:
    """Floats, strings, a sequence and a sequence of maps, under names that paths and URLs have a use for."""
    inputs = [
        helper.make_tensor_value_info(NAME, TensorProto.FLOAT, ["2 * floor(n/2) + 1", "(h - 1) / 2"]),
        helper.make_tensor_value_info(TEXT, TensorProto.STRING, ["n:0"]),
    ]
    floats = helper.make_tensor_type_proto(TensorProto.FLOAT, None)
    of_keys = helper.make_map_type_proto(
        TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, ())
    )
    outputs = [
        helper.make_tensor_value_info(OUT, TensorProto.FLOAT, ["2 * floor(n/2) + 1", "(h - 1) / 2"]),
        helper.make_tensor_value_info("texts/out:1", TensorProto.STRING, ["n:0"]),
        helper.make_value_info("parts/:0", helper.make_sequence_type_proto(floats)),
        helper.make_value_info("maps/:0", helper.make_sequence_type_proto(of_keys)),
    ]
    nodes = [
        helper.make_node("Neg", [NAME], [OUT]),
        helper.make_node("Identity", [TEXT], ["texts/out:1"]),
        helper.make_node("SplitToSequence", [NAME], ["parts/:0"], axis=0),
        helper.make_node(
            "ZipMap", [NAME], ["maps/:0"], domain="ai.onnx.ml", classlabels_strings=["a:b", "c/d", ""]
        ),
    ]
    opsets = [helper.make_opsetid("", 21), helper.make_opsetid("ai.onnx.ml", 3)]
    return helper.make_model(
        helper.make_graph(nodes, "odd", inputs, outputs), opset_imports=opsets, ir_version=10
    )


@pytest.fixture(scope="module")
def published(deployment: Deployment, tmp_path_factory: pytest.TempPathFactory) -> Deployment:
    path = tmp_path_factory.mktemp("odd") / "odd.onnx"
    onnx.save(odd(), str(path))
    found = deployment.publish("odd", path)
    assert found.returncode == 0, found.stdout + found.stderr
    return deployment


def ask(deployment: Deployment, rows: int, *, binary: bool, outputs: list[str] | None = None) -> Any:
    array = np.arange(rows * 3, dtype=np.float32).reshape(rows, 3)
    texts = np.array([f"{'ä' * row}:/" for row in range(rows)], dtype=np.object_)
    x = http.InferInput(NAME, list(array.shape), "FP32").set_data_from_numpy(array, binary_data=binary)
    t = http.InferInput(TEXT, [rows], "BYTES").set_data_from_numpy(texts, binary_data=binary)
    asked = [http.InferRequestedOutput(name, binary_data=binary) for name in outputs or []]
    client = http.InferenceServerClient(deployment.url.removeprefix("http://"), network_timeout=60)
    answer = client.infer("odd", [x, t], outputs=asked or None, headers={"x-api-key": deployment.key})
    client.close()
    return array, texts, answer


@pytest.mark.parametrize("binary", [True, False])
@pytest.mark.parametrize("rows", [3, 1])
def test_everything_has_its_own_name(published: Deployment, rows: int, binary: bool) -> None:
    for _ in range(4):  # the first runs of a kind and the later ones go different ways
        array, texts, answer = ask(published, rows, binary=binary)
        assert answer.as_numpy(OUT).tobytes() == (-array).tobytes()
        assert [bytes(t).decode() for t in answer.as_numpy("texts/out:1").ravel()] == list(texts)
        for row in range(rows):
            assert answer.as_numpy(f"parts/:0.{row}").tolist() == [array[row].tolist()]
        assert list(map(bytes, answer.as_numpy("maps/:0.keys"))) == [b"", b"a:b", b"c/d"]
        assert answer.as_numpy("maps/:0").tolist() == array[:, [2, 0, 1]].tolist()


@pytest.mark.parametrize("binary", [True, False])
def test_one_output_alone_and_no_rows(published: Deployment, binary: bool) -> None:
    for _ in range(4):
        array, _, answer = ask(published, 2, binary=binary, outputs=[OUT])
        assert [row["name"] for row in answer.get_response()["outputs"]] == [OUT]
        assert answer.as_numpy(OUT).tobytes() == (-array).tobytes()
        _, _, nothing = ask(published, 0, binary=binary, outputs=[OUT, "texts/out:1"])
        assert nothing.as_numpy(OUT).shape == (0, 3)
        assert nothing.as_numpy("texts/out:1").shape == (0,)


def test_the_metadata_names_them(published: Deployment) -> None:
    client = http.InferenceServerClient(published.url.removeprefix("http://"), network_timeout=60)
    found = client.get_model_metadata("odd", headers={"x-api-key": published.key})
    client.close()
    assert [(row["name"], row["datatype"], row["shape"]) for row in found["inputs"]] == [
        (NAME, "FP32", [-1, -1]),
        (TEXT, "BYTES", [-1]),
    ]
    assert [row["name"] for row in found["outputs"]] == [
        OUT, "texts/out:1", "parts/:0.*", "maps/:0", "maps/:0.keys",
    ]  # fmt: skip

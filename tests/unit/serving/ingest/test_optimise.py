"""The optimised form: which CPU it is bound to, and that a wrong one is never served."""

from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper, parser

from coldpress import cpu, ort
from coldpress.ingest import optimise
from coldpress.tensors import Tensor

CHANNELS = 24
"""Stored as 32 in blocks of 16, as 24 in blocks of 8."""


def convolution() -> onnx.ModelProto:
    weight = np.random.default_rng(0).normal(size=(CHANNELS, 16, 3, 3)).astype(np.float32)
    return helper.make_model(
        helper.make_graph(
            [helper.make_node("Conv", ["x", "w"], ["y"])],
            "g",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["n", 16, 8, 8])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
            [numpy_helper.from_array(weight, "w")],
        ),
        opset_imports=[helper.make_opsetid("", 20)],
        ir_version=10,
    )


def addition(text: str = "x, x") -> onnx.ModelProto:
    return parser.parse_model(
        f'<ir_version: 10, opset_import: ["" : 20]> g (float[4] x) => (float[4] y) {{ y = Add ({text}) }}'
    )


@pytest.fixture(scope="session")
def library() -> ort.Library:
    return ort.Library.open(ort.library_path())


def ask(session: ort.Session) -> optimise.Answers:
    shape = [max(length, 1) for length in session.inputs[0].shape]
    data = np.random.default_rng(1).normal(size=shape).astype(np.float32).tobytes()
    return [session.run([Tensor("x", "FP32", shape, data)])]


def expected(library: ort.Library, model: bytes) -> optimise.Answers:
    return ask(ort.Session.open(library, model))


@pytest.mark.parametrize(("model", "blocked"), [(convolution(), True), (addition(), False)])
def test_only_blocked_layouts_are_bound_to_a_kind_of_cpu(
    library: ort.Library, tmp_path: Path, model: onnx.ModelProto, blocked: bool
) -> None:
    source, target = str(tmp_path / "model.onnx"), str(tmp_path / "model.ort")
    onnx.save(model, source)
    reference = expected(library, model.SerializeToString())
    assert optimise.verified(library, source, target, 1, reference, ask) == ""
    needed = optimise.cpu_features(target)
    assert needed == (cpu.machine(), *([cpu.nchwc_block()] if blocked else []))
    assert cpu.fits(needed)


@pytest.mark.skipif(cpu.machine() != "x86_64", reason="where the layout depends on the CPU's flags")
def test_the_block_size_is_the_one_that_onnx_runtime_uses(tmp_path: Path) -> None:
    options = onnxruntime.SessionOptions()
    options.optimized_model_filepath = str(tmp_path / "optimised.onnx")
    options.log_severity_level = 3
    onnxruntime.InferenceSession(
        convolution().SerializeToString(), options, providers=["CPUExecutionProvider"]
    )
    (weight,) = onnx.load(tmp_path / "optimised.onnx").graph.initializer
    assert {"nchwc16": 32, "nchwc8": 24}[cpu.nchwc_block()] == weight.dims[0]


def test_a_machine_without_the_word_does_not_fit() -> None:
    assert cpu.fits(())
    assert cpu.fits((cpu.machine(),))
    other = {"nchwc16": "nchwc8", "nchwc8": "nchwc16"}[cpu.nchwc_block()]
    assert not cpu.fits((cpu.machine(), other))
    assert not cpu.fits(("riscv64",))
    assert not cpu.fits(("a-word-of-a-later-version",))


def test_a_form_that_answers_differently_is_told(library: ort.Library, tmp_path: Path) -> None:
    source, target = str(tmp_path / "model.onnx"), str(tmp_path / "model.ort")
    onnx.save(addition("x, x"), source)
    other = parser.parse_model(
        '<ir_version: 10, opset_import: ["" : 20]> g (float[4] x) => (float[4] y) { y = Neg (x) }'
    )
    reference = expected(library, other.SerializeToString())
    reason = optimise.verified(library, source, target, 1, reference, ask)
    assert reason == "the optimised form answers differently"


def test_a_form_that_cannot_be_written_is_told(library: ort.Library, tmp_path: Path) -> None:
    source = str(tmp_path / "model.onnx")
    onnx.save(addition(), source)
    reason = optimise.verified(library, source, str(tmp_path / "none" / "model.ort"), 1, [], ask)
    assert reason.startswith("the optimised form fails: ")


def test_large_models_keep_to_the_portable_form(
    library: ort.Library, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimise, "MAX_BYTES", 100)
    source, target = tmp_path / "model.onnx", tmp_path / "model.ort"
    onnx.save(convolution(), source)
    assert optimise.verified(library, str(source), str(target), 1, [], ask) == "larger than 0 MiB"
    assert not target.exists()

"""Each option does what it says."""

import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest

from coldpress.ort import Library, Session, SessionOptions


@pytest.mark.parametrize("threads", [1, 3])
def test_a_session_has_as_many_threads_as_it_was_given(library: Library, build: Any, threads: int) -> None:
    def count() -> int:
        return len(list(Path("/proc/self/task").iterdir()))

    before = count()
    session = Session.open(library, build.unary("Relu"), SessionOptions(threads=threads))
    assert count() - before == threads - 1  # the caller's own is one of them
    session.close()
    while count() > before:  # a thread leaves /proc a moment after it is joined
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("optimisation", "operators"),
    [
        ("none", ["Identity", "MatMul", "Add", "Relu"]),
        ("basic", ["Gemm", "Relu"]),
        ("extended", ["FusedGemm"]),
        ("all", ["FusedGemm"]),
    ],
)
def test_the_graph_is_optimised_as_far_as_told(
    library: Library, build: Any, tmp_path: Path, optimisation: str, operators: list[str]
) -> None:
    model = build.model(
        [
            build.node("Identity", ["x"], ["i"]),
            build.node("MatMul", ["i", "w"], ["m"]),
            build.node("Add", ["m", "b"], ["a"]),
            build.node("Relu", ["a"], ["y"]),
        ],
        [build.value("x", build.FLOAT, ["n", 2])],
        [build.value("y", build.FLOAT, ["n", 2])],
        {"w": np.ones((2, 2), "f"), "b": np.ones(2, "f")},
    )
    path = tmp_path / "saved.onnx"
    options = SessionOptions(optimisation=optimisation, optimised_model_path=str(path))
    Session.open(library, model, options)
    assert [node.op_type for node in onnx.load(path).graph.node] == operators


MEASURE = """
import sys
from coldpress.ort import Library, Session, SessionOptions, library_path
from coldpress.tensors import Tensor
session = Session.open(Library.open(library_path()), sys.argv[1], SessionOptions(arena=sys.argv[2] == "True"))
def resident(): return int(open("/proc/self/statm").read().split()[1]) * 4096 >> 20
before = resident()
session.run([Tensor("x", "INT64", (1,), (50_000_000).to_bytes(8, "little"))])
print(resident() - before)
"""


@pytest.mark.parametrize("arena", [True, False])
def test_without_the_arena_memory_goes_back_after_a_run(build: Any, tmp_path: Path, arena: bool) -> None:
    model = build.model(
        [build.node("ConstantOfShape", ["x"], ["c"]), build.node("ReduceSum", ["c"], ["y"])],
        [build.value("x", build.INT64, [1])],
        [build.value("y", build.FLOAT, None)],
    )
    (tmp_path / "model.onnx").write_bytes(model)
    done = subprocess.run(
        [sys.executable, "-c", MEASURE, str(tmp_path / "model.onnx"), str(arena)],
        capture_output=True,
        text=True,
        check=True,
    )
    assert (int(done.stdout) > 150) is arena  # of 190 MiB


def test_idle_threads_do_not_spin(library: Library, build: Any, tensors: Any) -> None:
    """CPU time of runs with pauses between them; a spinning thread would use the pauses up."""
    model = build.model(
        [build.node("MatMul", ["x", "x"], ["y"])],
        [build.value("x", build.FLOAT, ["n", "n"])],
        [build.value("y", build.FLOAT, ["n", "n"])],
    )
    inputs = tensors(x=np.ones((256, 256), "f"))

    def used(config: dict[str, str]) -> float:
        session = Session.open(library, model, SessionOptions(threads=2, config=config))
        start = time.process_time()
        for _ in range(20):
            session.run(inputs)
            time.sleep(0.01)
        return time.process_time() - start

    assert used({}) < used({"session.intra_op.allow_spinning": "1"}) / 2

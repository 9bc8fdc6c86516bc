"""The table of functions: every position in it is right, because every function in it works."""

import copy
import ctypes
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import TensorProto, helper

from coldpress.ort import Library, OrtError, Session, SessionOptions
from coldpress.ort import api as module
from coldpress.tensors import Tensor

AT_OPENING = {"CreateEnv", "DisableTelemetryEvents", "CreateCpuMemoryInfo", "GetAllocatorWithDefaultOptions"}


def containers(build: Any) -> bytes:
    """A model with every kind of output."""
    floats = helper.make_tensor_type_proto(TensorProto.FLOAT, ["n"])
    maps = helper.make_map_type_proto(TensorProto.INT64, helper.make_tensor_type_proto(TensorProto.FLOAT, ()))
    model = build.model(
        [
            build.node("ZipMap", ["x"], ["maps"], domain="ai.onnx.ml", classlabels_int64s=[1, 2]),
            build.node("Optional", ["x"], ["optional"]),
            build.node("Identity", ["s"], ["strings"]),
        ],
        [build.value("x", build.FLOAT, [1, 2]), build.value("s", build.STRING, ["n"])],
        [
            helper.make_value_info("maps", helper.make_sequence_type_proto(maps)),
            helper.make_value_info("optional", helper.make_optional_type_proto(floats)),
            build.value("strings", build.STRING, ["n"]),
        ],
        metadata={"key": "value"},
    )
    assert isinstance(model, bytes)
    return model


def a_map(build: Any) -> bytes:
    model = build.model(
        [build.node("DictVectorizer", ["d"], ["y"], domain="ai.onnx.ml", string_vocabulary=["a"])],
        [
            helper.make_value_info(
                "d",
                helper.make_map_type_proto(
                    TensorProto.STRING, helper.make_tensor_type_proto(TensorProto.FLOAT, ())
                ),
            )
        ],
        [build.value("y", build.FLOAT, [1, 1])],
    )
    assert isinstance(model, bytes)
    return model


def test_every_function_in_the_table_is_called(library: Library, build: Any, tmp_path: Path) -> None:
    assert set(vars(library.api)) >= AT_OPENING
    fresh = copy.copy(library)
    fresh.api = module.Api(ctypes.addressof(library.api._table))
    options = SessionOptions(
        arena=False, memory_pattern=False, optimised_model_path=str(tmp_path / "saved.onnx")
    )
    path = tmp_path / "model.onnx"
    path.write_bytes(containers(build))
    session = Session.open(fresh, str(path), options)
    assert session.metadata == {"key": "value"}
    inputs = [Tensor("x", "FP32", (1, 2), np.array([1, 2], "f").data), Tensor("s", "BYTES", (1,), [b"a\0b"])]
    assert len(session.run(inputs, deadline=time.monotonic() + 1000)) == 4
    with pytest.raises(OrtError):
        Session.open(fresh, b"no model")
    Session.open(fresh, a_map(build)).close()
    fresh.api.RunOptionsSetTerminate(run_options(fresh))
    fresh.api.RunOptionsUnsetTerminate(run_options(fresh))
    del session
    assert (module._STATUS.keys() | module._OTHERS.keys()) - vars(fresh.api).keys() == AT_OPENING


def run_options(library: Library) -> ctypes.c_void_p:
    options = ctypes.c_void_p()
    library.api.CreateRunOptions(ctypes.byref(options))
    return options


def test_a_function_that_is_not_in_the_table(library: Library) -> None:
    with pytest.raises(AttributeError, match="no function 'Fly' in the table"):
        library.api.Fly  # noqa: B018


def test_an_error_carries_its_code(library: Library, tmp_path: Path) -> None:
    with pytest.raises(OrtError, match="File doesn't exist") as caught:
        Session.open(library, str(tmp_path / "absent.onnx"))
    assert (caught.value.code, caught.value.reason) == (3, "NO_SUCHFILE")
    assert OrtError(99, "?").reason == "99"

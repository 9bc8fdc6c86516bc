"""Every reason to refuse a model before it is opened, and ONNX Runtime's own opinion of the limits."""

import onnxruntime
import pytest
from onnx import TensorProto, helper

from coldpress.ingest import checks
from coldpress.ingest.graph import Scan
from coldpress.ingest.refusal import Refused
from coldpress.settings import Settings

GOOD = Scan(
    ir_version=10,
    producer="pytest",
    opsets={"": 20},
    operators=frozenset(
        {("", "Relu"), ("ai.onnx", "Add"), ("ai.onnx.ml", "Scaler"), ("com.microsoft", "Gelu")}
    ),
    functions=frozenset(),
    external=(),
    metadata={},
)


def test_a_good_model_passes() -> None:
    checks.check_graph(GOOD)
    checks.check_size(1, Settings())


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        (
            {"ir_version": 14},
            r"IR version 14 is newer than ONNX Runtime 1\.31\.1 reads \(at most 13\); set model",
        ),
        (
            {"opsets": {"": 27}},
            r"operator set 27 of ai\.onnx is newer .*at most 26\); export .*opset_version=26",
        ),
        ({"opsets": {"ai.onnx": 27}}, r"operator set 27 of ai\.onnx is newer"),
        ({"opsets": {"": 20, "ai.onnx.ml": 6}}, r"operator set 6 of ai\.onnx\.ml is newer .*at most 5"),
        ({"opsets": {}}, r"truncated: the file ends before its operator sets"),
        (
            {"operators": frozenset({("ai.onnx.contrib", "StringRegexReplace")})},
            r"'StringRegexReplace' of the domain 'ai\.onnx\.contrib' needs a custom-operator library",
        ),
        (
            {"operators": frozenset({("com.microsoft.nchwc", "Conv")})},
            r"optimised for one kind of CPU; upload the model as it was exported",
        ),
        (
            {"external": ("w.data",)},
            r"outside of the file, at 'w\.data': a file beside it.*save_as_external_data",
        ),
        ({"external": ("/etc/passwd",)}, r"'/etc/passwd': an absolute path; such paths are never followed"),
        ({"external": ("C:\\w.data",)}, r"an absolute path"),
        ({"external": ("\\\\host\\w",)}, r"an absolute path"),
        ({"external": ("../../w.data",)}, r"a path that leaves the model's folder"),
        ({"external": ("a\\..\\..\\w",)}, r"a path that leaves the model's folder"),
        ({"external": ("",)}, r"at '': a file beside it"),
    ],
)
def test_each_reason_names_the_value_the_limit_and_the_fix(change: dict[str, object], reason: str) -> None:
    with pytest.raises(Refused, match=reason):
        checks.check_graph(GOOD._replace(**change))  # type: ignore[arg-type]


def test_operators_of_functions_in_the_model_are_fine() -> None:
    own = ("my.domain", "Twice")
    checks.check_graph(GOOD._replace(operators=GOOD.operators | {own}, functions=frozenset({own})))


@pytest.mark.parametrize(
    ("size", "reason"),
    [(0, r"empty \(0 bytes\)"), (1001, r"1001 bytes and the limit is 1000 \(COLDPRESS_MAX_MODEL_BYTES\)")],
)
def test_sizes(size: int, reason: str) -> None:
    checks.check_size(1000, Settings(max_model_bytes=1000))
    with pytest.raises(Refused, match=reason):
        checks.check_size(size, Settings(max_model_bytes=1000))


def opens(domain: str, opset: int, ir_version: int = 10) -> bool:
    value = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
    answer = helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])
    opsets = {"": 20, domain: opset}
    model = helper.make_model(
        helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [value], [answer]),
        opset_imports=[helper.make_opsetid(name, version) for name, version in opsets.items()],
        ir_version=ir_version,
    )
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    try:
        onnxruntime.InferenceSession(model.SerializeToString(), options, providers=["CPUExecutionProvider"])
    except Exception:
        return False
    return True


@pytest.mark.parametrize("domain", checks.MAX_OPSETS)
def test_the_operator_set_limits_are_the_installed_runtimes(domain: str) -> None:
    limit = checks.MAX_OPSETS[domain]
    assert opens(domain, limit)
    assert not opens(domain, limit + 1)


def test_the_ir_limit_is_the_installed_runtimes() -> None:
    assert f"ONNX Runtime {onnxruntime.__version__}" == checks.RUNTIME
    assert opens("", 20, checks.MAX_IR_VERSION)
    assert not opens("", 20, checks.MAX_IR_VERSION + 1)

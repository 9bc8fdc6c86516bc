"""What is stored is not what was published, or cannot be opened: never served, and said so."""

from collections.abc import Callable
from typing import Any

import pytest

from coldpress import cpu
from coldpress.serving import DataPlane
from coldpress.settings import Settings

from .conftest import Plane, constant, mlp

KEY = "models/m/versions/1/model-0.onnx"
CANNOT = f"m version 1 cannot be opened: {KEY}:"
MIB = 1 << 20


@pytest.mark.parametrize("padding", [0, 3 * MIB])
@pytest.mark.parametrize("at", [0.1, 0.5, 0.9])
def test_a_changed_byte_is_never_served(plane: Plane, padding: int, at: float) -> None:
    data = bytearray(constant(1, padding))
    plane.publish("m", 1, bytes(data))
    data[int(at * len(data))] ^= 0x10
    plane.store.overwrite(KEY, bytes(data))
    for _ in range(2):
        answer = plane.predict("m", [1.0])
        assert answer.status == 500
        assert "predictions" not in answer.body
    plane.store.overwrite(KEY, constant(1, padding))
    assert plane.version() == 1


def test_an_exchanged_file_is_told_from_its_hash(plane: Plane) -> None:
    plane.publish("m", 1, constant(1))
    assert len(constant(1)) == len(constant(2))
    plane.store.overwrite(KEY, constant(2))
    answer = plane.predict("m", [1.0])
    assert (answer.status, answer.body) == (
        500,
        {"error": f"{CANNOT} it does not have the hash that was published; it is not served"},
    )


@pytest.mark.parametrize("change", [lambda data: data[:-1], lambda data: data + b"x"])
def test_a_file_of_another_size(plane: Plane, change: Callable[[bytes], bytes]) -> None:
    plane.publish("m", 1, constant(1))
    size = len(constant(1))
    plane.store.overwrite(KEY, change(constant(1)))
    answer = plane.predict("m", [1.0])
    assert (answer.status, answer.body) == (
        500,
        {"error": f"{CANNOT} {KEY} has another size than its manifest says ({size} bytes)"},
    )


def test_a_missing_file(plane: Plane) -> None:
    plane.publish("m", 1, constant(1))
    plane.store.delete(KEY)
    answer = plane.predict("m", [1.0])
    assert (answer.status, answer.body) == (500, {"error": f"{CANNOT} {KEY} is not in the store"})


def test_a_file_that_is_no_model(plane: Plane) -> None:
    plane.publish("m", 1, plane.artifact("m", 1, b"no model at all", "model-0.onnx"), like=constant(1))
    answer = plane.predict("m", [1.0])
    assert answer.status == 500
    assert answer.body["error"].startswith(f"{CANNOT} ")


def test_an_artefact_that_does_not_open_gives_way_to_the_next(plane: Plane) -> None:
    plane.publish("m", 1, plane.artifact("m", 1, b"no model at all", "model-0.onnx"), constant(1))
    assert plane.version() == 1


@pytest.mark.parametrize(
    "warmup",
    [
        {"inputs": [{"name": "y", "datatype": "FP32", "shape": [1, 1], "data": [1]}]},
        {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": ["x"]}]},
        {"inputs": []},
    ],
)
def test_a_warm_up_that_fails_is_no_fault_of_the_caller(plane: Plane, warmup: dict[str, Any]) -> None:
    plane.publish("m", 1, constant(1), warmup=warmup)
    answer = plane.call("POST", "/v2/repository/models/m/load")
    assert answer.status == 500
    assert answer.body["error"].startswith(f"{CANNOT} ")


def test_a_model_that_is_opened_ahead_is_warmed_up_and_one_that_is_waited_for_is_not(plane: Plane) -> None:
    warmup = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [2, 1]}]}
    plane.publish("m", 1, constant(1), warmup=warmup)
    # That request's own run does all the one-time work: a warm-up would only double its wait.
    assert "warmup;dur=" not in plane.predict("m", [1.0]).headers["server-timing"]
    plane.restart()
    load = "/v2/repository/models/m/load"
    assert "warmup;dur=" in plane.call("POST", load).headers["server-timing"]
    assert "open;dur=" not in plane.predict("m", [1.0]).headers["server-timing"]


def test_a_machine_without_the_feature_takes_the_portable_artefact(plane: Plane) -> None:
    best = plane.artifact("m", 1, constant(1), "best.onnx", cpu=(cpu.machine(), "quantum"))
    plane.publish("m", 1, best, constant(1))
    plane.store.delete(best.key)
    assert plane.version() == 1


def test_a_machine_with_the_features_takes_the_best_artefact(plane: Plane) -> None:
    best = plane.artifact("m", 1, constant(1), "best.onnx", cpu=(cpu.machine(), cpu.nchwc_block()))
    plane.publish("m", 1, best, constant(1))
    plane.store.delete("models/m/versions/1/model-1.onnx")
    assert plane.version() == 1


def test_no_artefact_for_this_machine(plane: Plane) -> None:
    best = plane.artifact("m", 1, constant(1), "best.onnx", cpu=("quantum",))
    plane.publish("m", 1, best, like=constant(1))
    answer = plane.predict("m", [1.0])
    assert (answer.status, answer.body) == (
        500,
        {"error": "no artefact of m version 1 fits this machine's CPU"},
    )


def test_without_onnx_runtime_nothing_is_ready(make_plane: Callable[..., Plane]) -> None:
    plane = make_plane(ort_library="/nowhere/libonnxruntime.so")
    plane.publish("m", 1, constant(1))
    reason = (
        "COLDPRESS_ORT_LIBRARY='/nowhere/libonnxruntime.so' is no file; give ONNX Runtime's libonnxruntime.so"
    )
    for method, path in (
        ("GET", "/v2/health/ready"),
        ("POST", "/models/m/predict"),
        ("GET", "/v2/models/m/ready"),
    ):
        answer = plane.call(method, path, "[1]")
        assert (answer.status, answer.body) == (503, {"error": f"ONNX Runtime cannot be opened: {reason}"})
    assert plane.call("GET", "/v2/health/live").body == {"live": True}


def test_a_fault_of_ours_says_nothing_and_logs_all(plane: Plane, capfd: pytest.CaptureFixture[str]) -> None:
    plane.publish("m", 1, constant(1))
    plane.store.overwrite("models/m/aliases/prod.json", b'{"password": "hunter2"}')
    answer = plane.predict("m", [1.0])
    assert (answer.status, answer.body) == (500, {"error": "internal error; the log has the details"})
    out, err = capfd.readouterr()
    assert "KeyError: 'routes'" in err
    assert '"status": 500' in out


@pytest.mark.parametrize(
    "event", [{}, {"requestContext": None}, {"headers": None, "multiValueHeaders": None}]
)
def test_an_event_that_is_no_request_is_answered(plane: Plane, event: dict[str, Any]) -> None:
    answer = plane.plane.answer(event)
    assert (answer["statusCode"], answer["body"]) == (404, '{"error": "no route /; see /docs"}')


def test_a_second_environment_is_independent(plane: Plane) -> None:
    plane.publish("iris", 1, mlp())
    other = DataPlane(Settings(store=plane.store.url))
    first, plane.plane = plane.plane, other
    assert plane.predict("iris", [1, 2, 3, 4]).status == 200
    plane.plane = first
    assert plane.predict("iris", [1, 2, 3, 4]).status == 200

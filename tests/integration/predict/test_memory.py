"""Models in memory: kept within the limit, and really given back."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx import helper

from .conftest import NOW, Plane, constant, model_of, optimised

MIB = 1 << 20


def test_a_model_that_can_never_fit_is_refused_with_both_numbers(make_plane: Callable[..., Plane]) -> None:
    plane = make_plane(memory_mb=10)
    plane.publish("big", 1, constant(1, 7 * MIB))
    plane.publish("small", 1, constant(1))
    assert plane.version("small") == 1
    answer = plane.predict("big", [1.0])
    assert (answer.status, answer.body) == (
        503,
        {
            "error": "big version 1 has 7 MiB, and this function keeps at most 6 MiB of models; "
            "give it more memory"
        },
    )
    assert plane.version("small") == 1


def opened(plane: Plane, model: str) -> bool:
    """Answers, and says whether the model had to be opened for it."""
    answer = plane.predict(model, [1.0])
    assert answer.status == 200, answer.body
    return "open;dur=" in answer.headers["server-timing"]


def test_the_least_recently_used_goes_first(make_plane: Callable[..., Plane]) -> None:
    plane = make_plane(model_cache_bytes=int(2.5 * MIB))
    for model in "abc":
        plane.publish(model, 1, constant(1, MIB))
    assert [opened(plane, model) for model in "abab"] == [True, True, False, False]
    assert [opened(plane, model) for model in "acacb"] == [False, True, False, False, True]
    # b took the place of a, the less recently used of a and c.
    assert [opened(plane, model) for model in "cba"] == [False, False, True]


def test_without_a_limit_all_stay(plane: Plane) -> None:
    for model in "abc":
        plane.publish(model, 1, constant(1, MIB))
    assert [opened(plane, model) for model in "abcabc"] == [True] * 3 + [False] * 3


def wide() -> bytes:
    """x FP32 [n, 1] -> y FP32 [n, 1] by way of [n, 100,000]: 0.4 MB a row."""
    constants = {
        "w": np.ones((1, 100_000), np.float32),
        "axes": np.array([1], np.int64),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w"], ["wide"]),
        helper.make_node("ReduceSum", ["wide", "axes"], ["y"]),
    ]
    return model_of(nodes, {"x": ("FP32", ["n", 1])}, {"y": ("FP32", ["n", 1])}, constants)


SURGE = """
import json, os, sys
sys.stdout = open(os.devnull, "w")
from coldpress.serving import DataPlane
from coldpress.settings import Settings
plane = DataPlane(Settings(store=sys.argv[1]))
def ask(rows):
    event = {"rawPath": "/models/wide/predict", "headers": {"x-api-key": sys.argv[2]},
             "requestContext": {"http": {"method": "POST"}, "requestId": "r"},
             "body": json.dumps([[1.0]] * rows)}
    answer = plane.answer(event)
    assert answer["statusCode"] == 200, answer
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")
ask(1)
before = ask(1)
print(ask(300) - before, file=sys.stderr)
"""


def test_a_model_without_an_arena_keeps_nothing_of_a_large_request(plane: Plane) -> None:
    kept = []
    for version, session in ((1, {}), (2, {"arena": False})):
        plane.publish("wide", version, wide(), session=session)
        done = subprocess.run(
            [sys.executable, "-c", SURGE, plane.store.url, plane.key], capture_output=True, timeout=60
        )
        assert done.returncode == 0, done.stderr.decode()
        kept.append(int(done.stderr))
    assert kept[0] > 100 * MIB
    assert kept[1] < 20 * MIB


# In a process of its own, so that nothing else grows.
PARADE = """
import json, os, sys
sys.stdout = open(os.devnull, "w")
from coldpress.serving import DataPlane
from coldpress.settings import Settings
url, key, kinds = sys.argv[1], sys.argv[2], sys.argv[3]
plane = DataPlane(Settings(store=url, model_cache_bytes=50 << 20))
page = os.sysconf("SC_PAGE_SIZE")
def rss():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * page
def ask(model):
    event = {"rawPath": f"/models/{model}/predict", "headers": {"x-api-key": key}, "body": "[1.0]",
             "requestContext": {"http": {"method": "POST"}, "requestId": "r"}}
    answer = plane.answer(event)
    assert answer["statusCode"] == 200, answer
    return rss()
after = [ask(f"{kinds}{number}") for number in [0, 1, 2, 3, 4, 5, 6, 7, 0, 1, 2, 3]]
print(json.dumps(after), file=sys.stderr)
"""


@pytest.mark.parametrize("kind", ["onnx", "ort"])
def test_evicted_models_give_their_memory_back(plane: Plane, tmp_path: Path, kind: str) -> None:
    size = 20 * MIB
    for number in range(8):
        name, model = f"{kind}{number}", constant(number, size)
        best = [] if kind == "onnx" else [
            plane.artifact(name, 1, optimised(model, tmp_path), "model.ort", format="ort", optimised=True)
        ]  # fmt: skip
        plane.publish(name, 1, *best, model)
    command = [sys.executable, "-c", PARADE, plane.store.url, plane.key, kind]
    process = subprocess.run(command, capture_output=True, text=True, check=True, cwd=Path(__file__).parent)
    after: list[int] = json.loads(process.stderr.strip().splitlines()[-1])
    assert after[1] - after[0] > 0.8 * size, "a model takes as much memory as it has weights"
    # Two fit. From the third on each takes the place of another.
    assert max(after[2:]) - after[1] < 0.2 * size


def second_held_back(plane: Plane, monkeypatch: pytest.MonkeyPatch) -> threading.Event:
    """No version 2 is opened until the event."""
    go_on = threading.Event()
    real = plane.plane.opener.open

    def slow(manifest: Any, *arguments: Any, **more: Any) -> Any:
        if manifest.version == 2:
            go_on.wait(10)
        return real(manifest, *arguments, **more)

    monkeypatch.setattr(plane.plane.opener, "open", slow)
    return go_on


def test_what_is_being_opened_beside_counts(
    make_plane: Callable[..., Plane], monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = make_plane(model_cache_bytes=int(3.7 * MIB))
    for model in "ab":
        plane.publish(model, 1, constant(1, MIB))
    plane.publish("b", 2, constant(2, int(1.5 * MIB)), alias="")
    assert [opened(plane, model) for model in "ab"] == [True, True]
    go_on = second_held_back(plane, monkeypatch)
    plane.registry.move("b", "prod", {2: 1}, NOW)
    assert not opened(plane, "b")  # by version 1; version 2 has begun
    plane.publish("c", 1, constant(1, MIB // 2))
    assert opened(plane, "c")
    go_on.set()
    while plane.version("b") != 2:
        time.sleep(0.01)
    assert sum(model.size for model in plane.plane.models._open.values()) <= 3.7 * MIB


def test_two_promotions_in_a_row_stay_within_the_limit(
    make_plane: Callable[..., Plane], monkeypatch: pytest.MonkeyPatch
) -> None:
    plane = make_plane(model_cache_bytes=int(2.5 * MIB))
    for version in (1, 2, 3):
        plane.publish("m", version, constant(version, MIB), alias="")
    plane.registry.move("m", "prod", {1: 1}, NOW)
    assert plane.version("m") == 1
    go_on = second_held_back(plane, monkeypatch)

    def taken() -> int:
        kept = plane.plane.models
        return sum(each.size for each in (*kept._open.values(), *kept._coming.values()))

    answered, most = [], []
    for version in (2, 3):
        plane.registry.move("m", "prod", {version: 1}, NOW)
        answered.append(plane.version("m"))
        most.append(taken())
    go_on.set()
    while answered[-1] != 3:
        answered.append(plane.version("m"))
        most.append(taken())
    assert max(most) <= 2.5 * MIB
    assert set(answered) == {1, 3}

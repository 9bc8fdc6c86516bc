"""Requests and manifests in one line."""

import json
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from coldpress.gateway import Request
from coldpress.registry import Manifest, TensorInfo

Infos = Sequence[tuple[str, str, tuple[int, ...]]]


@pytest.fixture(scope="session")
def manifest() -> Callable[..., Manifest]:
    """The manifest of model `m`, version 3; by default x: FP32 [-1, 3] -> y: FP32 [-1, 2]."""

    def make(
        inputs: Infos = (("x", "FP32", (-1, 3)),),
        outputs: Infos = (("y", "FP32", (-1, 2)),),
        labels: Sequence[str] = (),
    ) -> Manifest:
        return Manifest(
            "m",
            3,
            "2026-01-01T00:00:00Z",
            (),
            tuple(TensorInfo(*info) for info in inputs),
            tuple(TensorInfo(*info) for info in outputs),
            "1.31.1",
            tuple(labels),
        )

    return make


@pytest.fixture(scope="session")
def request_of() -> Callable[..., Request]:
    """A POST; a body that is no bytes is sent as JSON. Headers by keyword, `_` for `-`."""

    def make(body: Any, **headers: str) -> Request:
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        return Request("POST", "/", given, sent, "id")

    return make

"""Data plane: answers predictions. Everything happens in `coldpress.serving`."""

import gc
import os
import time

began = time.perf_counter()
# What is made from here on stays: looking through it for garbage takes 2 ms of a cold start.
gc.disable()

from coldpress import engine  # noqa: E402

# ONNX Runtime is opened while the rest is imported, unless `sitecustomize` has begun already.
engine.begin(os.environ.get("COLDPRESS_ORT_LIBRARY", ""))

from coldpress import telemetry  # noqa: E402
from coldpress.serving import DataPlane  # noqa: E402
from coldpress.typed import Any  # noqa: E402

# At module level: Lambda's INIT phase opens the store and ONNX Runtime before the first request.
plane = DataPlane.from_environment()
telemetry.initialised(began)
gc.freeze()
gc.enable()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answers an API gateway's event."""
    return plane.answer(event, context)

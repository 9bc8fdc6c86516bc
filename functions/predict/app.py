"""Data plane: answers predictions. Everything happens in `coldpress.serving`."""

from typing import Any

from coldpress.serving import DataPlane

# At module level: Lambda's INIT phase opens the store and ONNX Runtime before the first request.
plane = DataPlane.from_environment()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answers an API gateway's event."""
    return plane.answer(event, context)

"""Data plane: answers predictions. Everything happens in `coldpress.serving`."""

from coldpress.serving import DataPlane
from coldpress.typed import Any

# At module level: Lambda's INIT phase opens the store and ONNX Runtime before the first request.
plane = DataPlane.from_environment()


def handler(event: dict[str, Any], context: object) -> dict[str, Any]:
    """Answers an API gateway's event."""
    return plane.answer(event, context)

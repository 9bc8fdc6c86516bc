"""The data plane's part of the OpenAPI document. The predict function serves it: no route of it is here."""

from typing import Any

from control.dataplane.paths import PATHS
from control.dataplane.schemas import HEADERS, PARAMETERS, SCHEMAS


def add_to(document: dict[str, Any]) -> None:
    """Adds the paths and what they refer to; errors and security are the control plane's own."""
    document["paths"] |= PATHS
    components = document["components"]
    components["schemas"] |= SCHEMAS
    components["parameters"] = components.get("parameters", {}) | PARAMETERS
    components["headers"] = components.get("headers", {}) | HEADERS

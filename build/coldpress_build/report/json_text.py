"""Dataclasses as JSON text."""

import json
import math
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any


def to_json(value: Any) -> str:
    """A dataclass or a mapping as JSON; a number that JSON does not have is null.

    A field with the metadata `json=False` stays out.
    """
    return json.dumps(_finite(value), ensure_ascii=False, indent=2, allow_nan=False) + "\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if is_dataclass(value) and not isinstance(value, type):
        shown = [one.name for one in fields(value) if one.metadata.get("json", True)]
        return {name: _finite(getattr(value, name)) for name in shown}
    if isinstance(value, Mapping):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [_finite(item) for item in value]
    return str(value) if isinstance(value, Path) else value

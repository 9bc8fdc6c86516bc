"""What a model's author wrote into it (ONNX's `metadata_props`), read and checked.

coldpress.labels    JSON list of class names, in the order of the scores
coldpress.warmup    JSON, a warm-up request (see coldpress.warmup)
coldpress.metrics   JSON object of numbers
coldpress.batch_sensitive  true where an answer depends on the rest of its batch
coldpress.session   JSON object of true or false (see coldpress.registry.SESSION_SETTINGS)
anything else       kept as text
"""

import json
from collections.abc import Callable
from typing import Any, NamedTuple

from coldpress.ingest.refusal import Refused
from coldpress.registry import SESSION_SETTINGS

LABELS = "coldpress.labels"
WARMUP = "coldpress.warmup"
METRICS = "coldpress.metrics"
BATCH_SENSITIVE = "coldpress.batch_sensitive"
"""It is "true" where an answer depends on the rest of its batch: different callers' must not be merged."""
SESSION = "coldpress.session"
NOTE = "coldpress.note"
"""Written by ingest: what its reader should know of how the version is served."""

MAX_VALUE = 4096
"""Longest other value that is kept: a manifest is read by every cold request."""


class Metadata(NamedTuple):
    """A model's metadata, by use."""

    labels: tuple[str, ...]
    warmup: dict[str, Any] | None
    session: dict[str, bool]
    others: dict[str, str]


def read(found: dict[str, str]) -> Metadata:
    """Sorts metadata by use. Raises `Refused` for a value that is not what its key says."""
    values = {key: _json(key, text, *RULES[key]) for key, text in found.items() if key in RULES}
    others = {
        key: text
        for key, text in found.items()
        if key not in (LABELS, WARMUP, SESSION, NOTE) and len(text) <= MAX_VALUE
    }
    return Metadata(tuple(values.get(LABELS, ())), values.get(WARMUP), values.get(SESSION, {}), others)


def check_session(value: Any, what: str) -> None:
    """Raises `Refused` unless these are session settings."""
    rule, fits = RULES[SESSION]
    if not fits(value):
        raise Refused(f"{what} must be {rule}, not {json.dumps(value)[:80]}")


def _json(key: str, text: str, rule: str, fits: Callable[[Any], bool]) -> Any:
    try:
        value = json.loads(text)
        json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair can be read, but not stored
    except (ValueError, RecursionError) as error:
        raise Refused(f"metadata {key} must be {rule}, but it is no JSON: {error}") from None
    if not fits(value):
        raise Refused(f"metadata {key} must be {rule}, not {text[:80]!r}")
    return value


def _are_labels(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(label, str) for label in value)


def _is_request(value: Any) -> bool:
    return isinstance(value, dict) and isinstance(value.get("inputs"), list)


def _are_metrics(value: Any) -> bool:
    return isinstance(value, dict) and all(type(number) in (int, float) for number in value.values())


def _is_session(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() <= set(SESSION_SETTINGS)
        and all(type(choice) is bool for choice in value.values())
    )


RULES: dict[str, tuple[str, Callable[[Any], bool]]] = {
    LABELS: ('a JSON list of class names, such as ["cat", "dog"]', _are_labels),
    WARMUP: (
        'a JSON request, such as {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32"}]}',
        _is_request,
    ),
    SESSION: (
        'a JSON object of true or false for arena and memory_pattern, such as {"arena": false}',
        _is_session,
    ),
    METRICS: ('a JSON object of numbers, such as {"accuracy": 0.95}', _are_metrics),
}

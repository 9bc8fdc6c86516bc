"""What one request cost: a line in CloudWatch's embedded metric format, and a `Server-Timing` header.

Written without Powertools, whose import costs more than a small model; the names are the ones
Powertools gives its own lines, so that one dashboard shows all functions.
"""

import json
import os
import sys
import time

from coldpress.typed import Any

NAMESPACE = "Coldpress"
SERVICE = "coldpress-predict"
MAX_QUEUE_MS = 900_000
"""Lambda's longest run; an event that claims to have waited longer has another clock."""
MAX_FORMS = 256
"""Lines and headers that differ in their names, kept as text. There are a few dozen."""

_cold = True
_init_ms: float | None = None


def initialised(since: float) -> None:
    """The function is ready; the first request's line says how long that took since `time.perf_counter`."""
    global _init_ms  # of the execution environment
    _init_ms = (time.perf_counter() - since) * 1000


class Trace:
    """Collects one request's figures: stages in milliseconds, `metrics` as their names say, and in `fields`
    whatever else its line tells.
    """

    __slots__ = ("_started", "cold", "fields", "metrics", "stages")

    def __init__(self, *, counted: bool = True) -> None:
        """`counted`: whether it is a request; the first one of an environment is its cold one."""
        global _cold  # one flag per execution environment is what "cold" means
        self.cold = _cold and counted
        _cold = _cold and not counted
        self._started = time.perf_counter()
        self.stages: dict[str, float] = {}
        self.fields: dict[str, Any] = {}
        self.metrics: dict[str, float] = {}
        if self.cold and _init_ms is not None:
            self.metrics["InitTime"] = _init_ms

    def lap(self, stage: str, since: float) -> float:
        """Adds the time since `since` (of `time.perf_counter`) to a stage; the time now."""
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + (now - since) * 1000
        return now

    def queued(self, sent: float) -> None:
        """The gateway took the request in at `sent`, in milliseconds since the epoch."""
        waited = time.time() * 1000 - sent
        if 0 <= waited < MAX_QUEUE_MS:
            self.metrics["QueueTime"] = waited

    def total_ms(self) -> float:
        """Milliseconds since the request came in."""
        return (time.perf_counter() - self._started) * 1000

    def server_timing(self) -> str:
        """The `Server-Timing` header: each stage and the total, in milliseconds."""
        stages = self.stages
        form = _timings.get(key := tuple(stages))
        if form is None:
            form = _kept(_timings, key, ", ".join([f"{name};dur=%.2f" for name in (*stages, "total")]))
        return form % (*stages.values(), self.total_ms())

    def emit(self) -> None:
        """Writes the request's line to standard output, which Lambda forwards to CloudWatch."""
        fields, metrics, stages = self.fields, self.metrics, self.stages
        form = _lines.get(key := (*fields, "", *metrics, "", *stages))
        if form is None:
            form = _kept(_lines, key, _line(list(fields), list(metrics), list(stages)))
        texts = [
            v if type(v) is int else _quoted(v) if type(v) is str else _encode(v) for v in fields.values()
        ]
        now = time.time() * 1000
        sys.stdout.write(
            form % (now, *texts, self.total_ms(), self.cold, *metrics.values(), *stages.values())
        )
        sys.stdout.flush()


_encode = json.JSONEncoder(check_circular=False).encode
_quoted = json.encoder.encode_basestring_ascii
_lines: dict[tuple[str, ...], str] = {}
_timings: dict[tuple[str, ...], str] = {}


def _kept(forms: dict[tuple[str, ...], str], key: tuple[str, ...], form: str) -> str:
    if len(forms) >= MAX_FORMS:
        forms.clear()
    forms[key] = form
    return form


def _line(fields: list[str], metrics: list[str], stages: list[str]) -> str:
    """A line with these members, with a place for each value."""
    names = ["Duration", "ColdStart", *metrics, *[stage.capitalize() + "Time" for stage in stages]]
    definition = {
        "Namespace": NAMESPACE,
        "Dimensions": [["service"], ["service", "model"]] if "model" in fields else [["service"]],
        "Metrics": [{"Name": name, "Unit": _unit(name)} for name in names],
    }
    function = os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local")
    known = f'"CloudWatchMetrics":{_encode([definition])}}},"service":{_encode(SERVICE)},'
    known += f'"function_name":{_encode(function)},'
    members = [f"{_encode(name)}: ".replace("%", "%%") + "%s" for name in fields]
    members += [f'"{name}":{"%.3f" if _unit(name) == "Milliseconds" else "%d"}' for name in names]
    return '{"_aws":{"Timestamp":%d,' + known.replace("%", "%%") + ",".join(members) + "}\n"


def _unit(name: str) -> str:
    if name in ("ColdStart", "StaleAliases"):
        return "Count"
    return "Bytes" if name.startswith("Bytes") else "Milliseconds"

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

_cold = True


class Trace:
    """Collects one request's figures. Stages are in milliseconds."""

    __slots__ = ("_started", "cold", "fields", "stages")

    def __init__(self, *, counted: bool = True) -> None:
        """`counted`: whether it is a request; the first one of an environment is its cold one."""
        global _cold  # one flag per execution environment is what "cold" means
        self.cold = _cold and counted
        _cold = _cold and not counted
        self._started = time.perf_counter()
        self.stages: dict[str, float] = {}
        self.fields: dict[str, Any] = {}

    def lap(self, stage: str, since: float) -> float:
        """Adds the time since `since` (of `time.perf_counter`) to a stage; the time now."""
        now = time.perf_counter()
        self.stages[stage] = self.stages.get(stage, 0.0) + (now - since) * 1000
        return now

    def total_ms(self) -> float:
        """Milliseconds since the request came in."""
        return (time.perf_counter() - self._started) * 1000

    def server_timing(self) -> str:
        """The `Server-Timing` header: each stage and the total, in milliseconds."""
        stages = [*self.stages.items(), ("total", self.total_ms())]
        return ", ".join(f"{name};dur={ms:.2f}" for name, ms in stages)

    def emit(self) -> None:
        """Writes the request's line to standard output, which Lambda forwards to CloudWatch."""
        metrics = {"Duration": self.total_ms(), "ColdStart": int(self.cold)}
        for stage, ms in self.stages.items():
            metrics[stage.capitalize() + "Time"] = ms
        head = _head(tuple(metrics), "model" in self.fields)
        figures = ",".join([f'"{name}":{value:.3f}' for name, value in metrics.items()])
        sys.stdout.write(
            f'{{"_aws":{{"Timestamp":{int(time.time() * 1000)},{head},'
            f'"function_name":{_encode(os.environ.get("AWS_LAMBDA_FUNCTION_NAME", "local"))},'
            f"{_encode(self.fields)[1:-1]}{',' if self.fields else ''}{figures}}}\n"
        )
        sys.stdout.flush()


_encode = json.JSONEncoder(check_circular=False).encode
_heads: dict[tuple[tuple[str, ...], bool], str] = {}


def _head(names: tuple[str, ...], of_a_model: bool) -> str:
    """What says which members of a line are metrics, as text; made once for each combination."""
    known = _heads.get((names, of_a_model))
    if known is not None:
        return known
    definition = {
        "Namespace": NAMESPACE,
        "Dimensions": [["service"], ["service", "model"]] if of_a_model else [["service"]],
        "Metrics": [
            {"Name": name, "Unit": "Count" if name == "ColdStart" else "Milliseconds"} for name in names
        ],
    }
    made = f'"CloudWatchMetrics":{_encode([definition])}}},"service":{_encode(SERVICE)}'
    _heads[names, of_a_model] = made
    return made

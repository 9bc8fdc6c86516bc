"""A version that runs beside the answers of another: it answers nobody, and its figures are compared.

After each answer of an alias with a shadow the same tensors go through the shadow's version; one line in the
log, in CloudWatch's embedded metric format, says how far the two are apart.
"""

import json
import os
import sys
import time

from coldpress.afterwards import Afterwards
from coldpress.agreement import compare
from coldpress.models import Models
from coldpress.opening import Model
from coldpress.protocols.inference import Inference
from coldpress.resolver import Resolver
from coldpress.telemetry import NAMESPACE, SERVICE, Trace
from coldpress.tensors import Tensor
from coldpress.typed import Any, NamedTuple

UNITS = {
    "ShadowDuration": "Milliseconds",
    "ShadowAgreement": "None",
    "ShadowDifference": "None",
    "ShadowErrors": "Count",
}


class Answered(NamedTuple):
    """What was answered, and to what. Its tensors keep the request's body and ONNX Runtime's memory alive."""

    alias: str
    request_id: str
    model: Model
    inference: Inference
    outputs: list[Tensor]
    deadline: float | None
    """In `time.monotonic` seconds: a run that goes on longer would cost the environment its life."""


class Shadow:
    """Compares each answer with what the alias's shadow would have answered."""

    def __init__(self, resolver: Resolver, models: Models) -> None:
        """Begins to work after answers; to be made while the function is initialised."""
        self._resolver = resolver
        self._models = models
        self._afterwards = Afterwards(os.environ.get("AWS_LAMBDA_RUNTIME_API", ""))
        self._answered: Answered | None = None

    def begin(self) -> None:
        """A new request: what is left of the one before comes first, as nothing here is locked."""
        self._afterwards.settle()
        self._answered = None

    def answer(self, *answered: Any) -> None:
        """The request in hand has this answer; the arguments are the fields of `Answered`."""
        self._answered = Answered(*answered)

    def end(self) -> None:
        """The answer is complete; what is left happens once it is on its way."""
        answered, self._answered = self._answered, None
        version = self._version(answered)
        if answered is None or not version:
            return self._afterwards.answered(None)
        return self._afterwards.answered(lambda: self._compare(answered, version))

    def _version(self, answered: Answered | None) -> int:
        if answered is None or not answered.alias:
            return 0
        manifest = answered.model.manifest
        version = self._resolver.shadow(manifest.model, answered.alias)
        return 0 if version == manifest.version else version

    def _compare(self, answered: Answered, version: int) -> None:
        metrics = {"ShadowErrors": 0.0}
        fields: dict[str, Any] = {"request_id": answered.request_id, "shadow_version": version}
        try:
            manifest = self._resolver.manifest(answered.model.manifest.model, "", version, "")
            model = self._models.beside(manifest, answered.model, Trace(counted=False))
            at = time.perf_counter()
            inference = answered.inference
            outputs = model.run(inference.tensors, inference.outputs, deadline=answered.deadline)
            metrics["ShadowDuration"] = (time.perf_counter() - at) * 1000
            found = compare(answered.outputs, outputs)
            metrics["ShadowAgreement"] = found.share
            if found.difference is not None:
                metrics["ShadowDifference"] = min(found.difference, sys.float_info.max)
        except Exception as error:  # whatever it is, it is the shadow's and nobody's answer
            metrics["ShadowErrors"] = 1.0
            fields["shadow_error"] = f"{type(error).__name__}: {error}"
        _emit(answered, fields, metrics)


def _emit(answered: Answered, fields: dict[str, Any], metrics: dict[str, float]) -> None:
    manifest = answered.model.manifest
    definition = {
        "Namespace": NAMESPACE,
        "Dimensions": [["service"], ["service", "model"]],
        "Metrics": [{"Name": name, "Unit": UNITS[name]} for name in metrics],
    }
    line = {
        "_aws": {"Timestamp": int(time.time() * 1000), "CloudWatchMetrics": [definition]},
        "service": SERVICE,
        "model": manifest.model,
        "version": manifest.version,
        "alias": answered.alias,
        **fields,
        **metrics,
    }
    sys.stdout.write(json.dumps(line) + "\n")
    sys.stdout.flush()

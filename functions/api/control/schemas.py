"""The registry's records as the API answers them."""

import json
import math
from typing import Any

from pydantic import BaseModel, ConfigDict, Field, field_validator

from coldpress import registry
from coldpress.ingest.metadata import BATCH_SENSITIVE

METRICS_KEY = "coldpress.metrics"
MAX_DEPTH = 200
"""Pydantic writes 255 levels of a value it does not know, and fails at more."""
NAME = f"[a-z0-9][a-z0-9_-]{{0,{registry.MAX_NAME - 1}}}"
# Told by the document, checked by `registry.check_name`: its words say what to use instead.
NAMED: dict[str, Any] = {"pattern": f"^{NAME}$", "not": {"enum": sorted(registry.RESERVED_NAMES)}}


class Record(BaseModel):
    """Read from the attributes of `coldpress.registry`'s records."""

    model_config = ConfigDict(from_attributes=True)


class Artifact(Record):
    """One file of a version."""

    key: str = Field(description="Where it is in the object store.")
    size: int = Field(description="Bytes.")
    sha256: str
    format: str = Field(
        description="`ort` (opened in place), `external` (large: weights mapped from the disk) or `onnx`.",
        examples=["ort"],
    )
    optimised: bool = Field(description="Whether the graph was optimised offline.")
    cpu: list[str] = Field(description="CPU features that the optimised layout needs.", examples=[["avx2"]])


class TensorInfo(Record):
    """An input or output of the graph."""

    name: str = Field(examples=["text"])
    datatype: str = Field(description="A datatype of the Open Inference Protocol.", examples=["BYTES"])
    shape: list[int] = Field(description="-1: variable.", examples=[[-1, 1]])


class Manifest(Record):
    """Everything about one version. It never changes."""

    model: str
    version: int
    created: str = Field(description="ISO 8601, UTC.")
    artifacts: list[Artifact] = Field(description="Best first; the portable one last.")
    inputs: list[TensorInfo]
    outputs: list[TensorInfo]
    runtime: str = Field(description="The ONNX Runtime version that checked and optimised it.")
    labels: list[str] = Field(description="Class names, in the order of the model's scores.")
    warmup: dict[str, Any] | None = Field(
        description="An Open Inference Protocol request that is run before the model counts as ready; null "
        f"also for one that is nested more than {MAX_DEPTH} deep."
    )
    metadata: dict[str, str] = Field(description="The ONNX file's own metadata.")
    session: dict[str, bool] = Field(
        description="How its sessions are opened, where not as usual.", examples=[{"arena": False}]
    )
    source: dict[str, Any] = Field(description="The upload it came from: id, key, etag, size, sha256.")
    refuses_empty: bool = Field(description="Whether every input must hold an element.")

    @field_validator("warmup", mode="before")
    @classmethod
    def _not_too_deep(cls, warmup: Any) -> Any:
        # Its author's, as metrics are: it may hide itself, never the version.
        return warmup if _is_within(MAX_DEPTH, warmup) else None


class VersionSummary(BaseModel):
    """A version, as a list shows it."""

    version: int
    created: str = Field(description="ISO 8601, UTC.")
    size: int = Field(description="Bytes of the first artefact: what a function usually loads.")
    artifacts: list[Artifact]
    labels: list[str]
    metrics: dict[str, float | None] = Field(
        description="Measured when it was trained; null for what is no finite number of 64 bits.",
        examples=[{"accuracy": 0.79}],
    )
    batch_sensitive: bool = Field(
        description="Whether an answer depends on what else is in its request, as its author says."
    )

    @classmethod
    def of(cls, manifest: registry.Manifest) -> "VersionSummary":
        """The short form of a manifest."""
        return cls(
            version=manifest.version,
            created=manifest.created,
            size=manifest.artifacts[0].size,
            artifacts=[Artifact.model_validate(artifact) for artifact in manifest.artifacts],
            labels=list(manifest.labels),
            metrics=_metrics(manifest.metadata),
            batch_sensitive=manifest.metadata.get(BATCH_SENSITIVE) == "true",
        )


class Route(Record):
    """A share of an alias's traffic."""

    # No limits: whatever an alias has been pointed at, the API can tell.
    version: int = Field(examples=[7])
    weight: float = Field(description="Of the requests, 0 to 1.", examples=[1.0])


def routes_of(alias: registry.Alias) -> list[Route]:
    """Where an alias points, without the manifests it carries."""
    return [Route(version=route.version, weight=route.weight) for route in alias.routes]


def _metrics(metadata: dict[str, str]) -> dict[str, float | None]:
    # A model's metadata is its author's: what is no number is left out, never an error.
    try:
        stored = json.loads(metadata.get(METRICS_KEY, "{}"))
    except (ValueError, RecursionError):  # nested too deeply
        return {}
    if not isinstance(stored, dict):
        return {}
    return {name: _finite(value) for name, value in stored.items() if isinstance(value, int | float)}


def _is_within(levels: int, value: Any) -> bool:
    if not isinstance(value, dict | list):
        return True
    inner = value.values() if isinstance(value, dict) else value
    return levels > 0 and all(_is_within(levels - 1, part) for part in inner)


def _finite(value: float) -> float | None:
    try:
        return float(value) if math.isfinite(value) else None
    except OverflowError:  # a whole number beyond what a float holds
        return None

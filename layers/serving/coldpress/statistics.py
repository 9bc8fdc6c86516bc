"""Counts and times of each model in this execution environment, in the form of Triton's statistics.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_statistics.md
"""

import time
from collections.abc import Mapping

from coldpress.registry import Manifest
from coldpress.tensors import Tensor
from coldpress.typed import Any

MAX_BATCH_SIZES = 64
"""Sizes told apart for each version. Where any length may come first, they would fill the memory."""


class _Times:
    """A number of inferences, and the nanoseconds of each stage in all of them."""

    __slots__ = ("count", "decode", "encode", "infer")

    def __init__(self) -> None:
        self.count = self.decode = self.infer = self.encode = 0

    def stages(self) -> dict[str, dict[str, int]]:
        """In Triton's words."""
        count = self.count
        return {
            "compute_input": {"count": count, "ns": self.decode},
            "compute_infer": {"count": count, "ns": self.infer},
            "compute_output": {"count": count, "ns": self.encode},
        }


class _Row:
    """What is counted of one version."""

    __slots__ = ("batches", "fail_count", "fail_ns", "inferences", "last", "times")

    def __init__(self) -> None:
        self.last = 0.0
        self.inferences = self.fail_count = self.fail_ns = 0
        self.times = _Times()
        self.batches: dict[int, _Times] = {}

    def add(self, batch: int, decode: int, infer: int, encode: int) -> None:
        """An inference of `batch` rows; its stages are in nanoseconds."""
        self.last = time.time()
        self.inferences += batch
        sized = self.batches.get(batch)
        if sized is None and len(self.batches) < MAX_BATCH_SIZES:
            sized = self.batches[batch] = _Times()
        for times in (self.times, sized):
            if times is not None:
                times.count += 1
                times.decode += decode
                times.infer += infer
                times.encode += encode

    def answer(self, name: str, version: int) -> dict[str, Any]:
        """In Triton's words."""
        times = self.times
        total = times.decode + times.infer + times.encode
        return {
            "name": name,
            "version": str(version),
            "last_inference": int(self.last * 1000),
            "inference_count": self.inferences,
            "execution_count": times.count,
            "inference_stats": {
                "success": {"count": times.count, "ns": total},
                "fail": {"count": self.fail_count, "ns": self.fail_ns},
                # One environment answers one request at a time: nothing ever waits inside it.
                "queue": {"count": times.count, "ns": 0},
                **times.stages(),
            },
            "batch_stats": [
                {"batch_size": size, **sized.stages()} for size, sized in sorted(self.batches.items())
            ],
        }


class Statistics:
    """What this execution environment has done; every other one counts for itself."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, int], _Row] = {}

    def succeeded(self, model: str, version: int, inputs: list[Tensor], stages: Mapping[str, float]) -> None:
        """Counts an inference; `stages` are its times in milliseconds: decode, infer, encode."""
        batch = inputs[0].shape[0] if inputs and inputs[0].shape else 1
        decode, infer, encode = stages["decode"], stages["infer"], stages["encode"]
        self._row(model, version).add(batch, int(decode * 1e6), int(infer * 1e6), int(encode * 1e6))

    def failed(self, model: str, version: int, ns: int) -> None:
        """Counts an inference that failed after `ns` nanoseconds."""
        row = self._row(model, version)
        row.fail_count += 1
        row.fail_ns += ns

    def report(self, model: str = "", version: int = 0) -> list[dict[str, Any]]:
        """Triton's `model_stats`, of all models or of one, of all its versions or of one."""
        return [
            row.answer(name, number)
            for (name, number), row in sorted(self._models.items())
            if model in ("", name) and version in (0, number)
        ]

    def empty(self, manifest: Manifest) -> list[dict[str, Any]]:
        """The report of a version that has not been asked yet."""
        return [_Row().answer(manifest.model, manifest.version)]

    def _row(self, model: str, version: int) -> _Row:
        row = self._models.get((model, version))
        if row is None:
            row = self._models[model, version] = _Row()
        return row

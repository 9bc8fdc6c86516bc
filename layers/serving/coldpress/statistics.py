"""Counts and times of each model in this execution environment, in the form of Triton's statistics.

https://github.com/triton-inference-server/server/blob/main/docs/protocol/extension_statistics.md
"""

import time
from collections.abc import Mapping

from coldpress.registry import Manifest
from coldpress.tensors import Tensor
from coldpress.typed import Any

STAGES = ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output")

MAX_BATCH_SIZES = 64
"""Sizes told apart for each version. Where any length may come first, they would fill the memory."""

_TIMES = {"compute_input": "decode", "compute_infer": "infer", "compute_output": "encode"}


class Statistics:
    """What this execution environment has done; every other one counts for itself."""

    def __init__(self) -> None:
        self._models: dict[tuple[str, int], dict[str, Any]] = {}

    def succeeded(self, model: str, version: int, inputs: list[Tensor], stages: Mapping[str, float]) -> None:
        """Counts an inference; `stages` are its times in milliseconds: decode, infer, encode."""
        batch = inputs[0].shape[0] if inputs and inputs[0].shape else 1
        row = self._row(model, version)
        row["last_inference"] = int(time.time() * 1000)
        row["inference_count"] += batch
        row["execution_count"] += 1
        sizes, total = row["batch"], 0
        if batch not in sizes and len(sizes) < MAX_BATCH_SIZES:
            sizes[batch] = {stage: [0, 0] for stage in _TIMES}
        sized, every = sizes.get(batch), row["stages"]
        for stage, source in _TIMES.items():
            ns = int(stages[source] * 1e6)
            total += ns
            _add(every[stage], ns)
            if sized is not None:
                _add(sized[stage], ns)
        # One environment answers one request at a time: nothing ever waits inside it.
        _add(every["queue"], 0)
        _add(every["success"], total)

    def failed(self, model: str, version: int, ns: int) -> None:
        """Counts an inference that failed after `ns` nanoseconds."""
        _add(self._row(model, version)["stages"]["fail"], ns)

    def report(self, model: str = "", version: int = 0) -> list[dict[str, Any]]:
        """Triton's `model_stats`, of all models or of one, of all its versions or of one."""
        return [
            _answer(name, number, row)
            for (name, number), row in sorted(self._models.items())
            if model in ("", name) and version in (0, number)
        ]

    def empty(self, manifest: Manifest) -> list[dict[str, Any]]:
        """The report of a version that has not been asked yet."""
        return [_answer(manifest.model, manifest.version, _blank())]

    def _row(self, model: str, version: int) -> dict[str, Any]:
        row = self._models.get((model, version))
        if row is None:
            row = self._models[model, version] = _blank()
        return row


def _blank() -> dict[str, Any]:
    counts: dict[str, Any] = {"last_inference": 0, "inference_count": 0, "execution_count": 0}
    return counts | {"stages": {stage: [0, 0] for stage in STAGES}, "batch": {}}


def _add(cell: list[int], ns: int) -> None:
    cell[0] += 1
    cell[1] += ns


def _answer(name: str, version: int, row: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "version": str(version),
        "last_inference": row["last_inference"],
        "inference_count": row["inference_count"],
        "execution_count": row["execution_count"],
        "inference_stats": _durations(row["stages"]),
        "batch_stats": [
            {"batch_size": size} | _durations(stages) for size, stages in sorted(row["batch"].items())
        ],
    }


def _durations(stages: dict[str, list[int]]) -> dict[str, dict[str, int]]:
    return {stage: {"count": cell[0], "ns": cell[1]} for stage, cell in stages.items()}

"""A candidate's figures, taken in the serving runtime."""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import cycle
from statistics import median
from time import perf_counter

import numpy as np

from coldpress_build.press.heldout import Array, HeldOut, Scoring
from coldpress_build.serving import ServedModel

BATCH = 64
ALONE = 2048
"""Rows that are asked for one at a time too: a large model takes a minute for so many."""
WARM_UPS = 5
ROUNDS = 25
ROUND_SECONDS = 0.005
"""A round runs a model for about so long; ROUNDS of them are taken, the models side by side."""
FEWEST_ROUNDS = 5
SECONDS = 4.0
"""About how long a comparison may take; a model that takes half a second to open gets fewer rounds."""


@dataclass(frozen=True)
class Answers:
    """What a model answers to held-out rows, asked one at a time and in batches.

    `score` in points of `metric` (see `Scoring`); `finite` whether every number is; `batch_difference` the
    largest difference between a number asked for alone and in a batch (see `_difference`), None where the
    model takes one batch size only; `batch_flips` the rows whose answer is another one in a batch.
    """

    score: float
    metric: str
    finite: bool
    batch_difference: float | None
    batch_flips: int


def batch_sizes(model: ServedModel) -> tuple[int, ...]:
    """The batch sizes to ask with: 1 and BATCH, or the only one that the model takes."""
    fixed = {spec.shape[0] for spec in model.inputs if spec.shape and spec.shape[0] != -1}
    return (max(fixed),) if fixed else (1, BATCH)


def ask(model: ServedModel, rows: HeldOut, size: int) -> dict[str, Array]:
    """All rows in batches of `size`, the last one filled up by repeating its last row."""
    parts = [model.run(_batch(rows, start, size)) for start in range(0, len(rows), size)]
    return {name: np.concatenate([part[name] for part in parts])[: len(rows)] for name in parts[0]}


def answers(model: ServedModel, rows: HeldOut, scoring: Scoring) -> tuple[Answers, Array]:
    """Ask for all rows in batches, for the first ALONE of them also alone, and compare.

    Returns:
        What that says, and the model's answer to each row: alone where it was asked so.
    """
    sizes = batch_sizes(model)
    runs = [ask(model, rows, sizes[-1])]
    if len(sizes) > 1:
        runs.insert(0, ask(model, rows.first(ALONE), sizes[0]))
    given = [scoring.answers(run[scoring.output]) for run in runs]
    alone = len(given[0])
    found = np.concatenate([given[0], given[-1][alone:]])
    spreads = {scoring.output: float(rows.target.astype(np.float64).std())} if scoring.metric == "R²" else {}
    return Answers(
        score=scoring.points(found, rows.target),
        metric=scoring.metric,
        finite=all(
            bool(np.isfinite(array).all())
            for run in runs
            for array in run.values()
            if array.dtype.kind == "f"
        ),
        batch_difference=_difference(runs[0], runs[-1], spreads) if len(runs) > 1 else None,
        batch_flips=int((given[0] != given[-1][:alone]).sum()) if scoring.metric == "accuracy" else 0,
    ), found


def _difference(
    alone: Mapping[str, Array], batched: Mapping[str, Array], spreads: Mapping[str, float]
) -> float:
    """The largest, as a share of the number itself, or of 1 where that is more.

    Of an output in `spreads`, that spread is in the place of 1: its values are in a unit of their own, in
    which 1 may be next to nothing, or more than there is.
    """
    worst = 0.0
    for name, one in alone.items():
        other = batched[name][: len(one)]
        if one.dtype.kind == "f" and one.shape == other.shape:
            scale = np.maximum(np.abs(one.astype(np.float64)), spreads.get(name, 1.0))
            found = float((np.abs(one.astype(np.float64) - other) / scale).max(initial=0.0))
            worst = found if not found <= worst else worst  # a NaN must not be lost
    return worst


def side_by_side(
    calls: Mapping[str, Callable[[], object]], rounds: int | None = None
) -> dict[str, list[float]]:
    """Seconds of each call, one median for each round; ROUNDS of them, fewer where calls take long.

    The calls take turns within a round, so that whatever else the machine does falls on all of them.
    """
    once = {name: median(_warmed(call)) for name, call in calls.items()}
    if rounds is None:
        rounds = max(FEWEST_ROUNDS, min(ROUNDS, int(SECONDS / sum(once.values()))))
    repeats = {name: max(1, math.ceil(ROUND_SECONDS / seconds)) for name, seconds in once.items()}
    times: dict[str, list[float]] = {name: [] for name in calls}
    for _ in range(rounds):
        for name, call in calls.items():
            times[name].append(median(_timed(call, repeats[name])))
    return times


def ratio(times: Sequence[float], original: Sequence[float]) -> float:
    """The median over the rounds of how many times as long as the original's."""
    return median(one / other for one, other in zip(times, original, strict=True))


def request(model: ServedModel, rows: HeldOut) -> Callable[[], object]:
    """A call that asks for the next of the rows, in the smallest batch that the model takes."""
    size = batch_sizes(model)[0]
    starts = range(0, max(len(rows) - size, 0) + 1, max(1, len(rows) // 50))
    turns = cycle([_batch(rows, start, size) for start in starts])
    return lambda: model.run(next(turns))


def _batch(rows: HeldOut, start: int, size: int) -> dict[str, Array]:
    """`size` rows from `start`; where fewer are left, the last of them again and again."""
    batch = rows.rows(start, start + size)
    missing = start + size - len(rows)
    if missing <= 0:
        return batch
    return {name: np.concatenate([column, column[-1:].repeat(missing, 0)]) for name, column in batch.items()}


def _warmed(call: Callable[[], object]) -> list[float]:
    first = _timed(call, 1)
    return first if first[0] * WARM_UPS > SECONDS / 2 else _timed(call, WARM_UPS)


def _timed(call: Callable[[], object], times: int) -> list[float]:
    found = []
    for _ in range(times):
        started = perf_counter()
        call()
        found.append(perf_counter() - started)
    return found

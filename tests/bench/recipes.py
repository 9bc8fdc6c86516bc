"""The build plane's rows: what the press makes of each recipe's network, what the training engine costs."""

import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import median
from time import process_time
from typing import Any

import torch

from coldpress_build import pipeline
from coldpress_build.config import override
from coldpress_build.engine import fit
from coldpress_build.press.press import Pressed
from coldpress_build.progress import Progress
from coldpress_build.recipes import find

from . import bareloop
from .catalogue import PRESSED, Figure

Note = Callable[[str], None]


@dataclass(frozen=True)
class Case:
    """What a recipe is measured with. `data` None: its own. `epochs` of the comparison with a bare loop."""

    data: str | None = None
    settings: tuple[str, ...] = ()
    epochs: int = 3
    rounds: int = 7


CASES = {
    "text-classifier": Case(),
    "image-cnn": Case(),
    "tabular-mlp": Case("breast-cancer", ("hidden=1000,500,250,100", "inputs=matrix", "epochs=40")),
    "regressor": Case(),
    "sequence-rnn": Case(),
    "text-transformer": Case(settings=("epochs=2",)),
}


def settings(recipe: str) -> Any:
    """The recipe's own, but for `CASES`; fitted once."""
    return override(find(recipe).config, ["restarts=1", *CASES[recipe].settings])


def figures(wanted: set[str], note: Note) -> Iterator[Figure]:
    """Every row of a recipe that is wanted, as soon as it is known."""
    # Before any pipeline: what it leaves in memory makes fits in this process take twice the time.
    for recipe, case in CASES.items():
        row = f"train_overhead_{recipe}"
        if row in wanted:
            note(f"the training engine beside a bare loop: {recipe}")
            ours, peer = overhead(recipe, case)
            yield Figure(row, ours, peer, case.rounds)
    for recipe, case in CASES.items():
        rows = {f"press_{what}_{recipe}" for what in PRESSED} & wanted
        if rows:
            note(f"training and pressing: {recipe}")
            with tempfile.TemporaryDirectory(prefix="coldpress-bench-") as folder:
                found = pipeline.run(recipe, settings(recipe), Path(folder), data=case.data, silent=True)
            yield from (figure for figure in pressed(recipe, found.pressed) if figure.id in rows)


def pressed(recipe: str, found: Pressed) -> Iterator[Figure]:
    """The published candidate beside the original, from one run of the pipeline."""
    before, after = found.original, found.best
    yield Figure(f"press_size_ratio_{recipe}", after.bytes, before.bytes, 1)
    # The original's time is that of the rounds in which it took turns with the winner.
    yield Figure(f"press_latency_ratio_{recipe}", after.latency_ms, after.latency_ms / after.slower, 1)
    # On the test part: by the validation part the gate has chosen.
    lost = (before.test_score or 0.0) - (after.test_score or 0.0)
    yield Figure(f"press_accuracy_delta_{recipe}", lost, found.gate.max_loss, 1)


def overhead(recipe: str, case: Case) -> tuple[float, float]:
    """Processor time of a fit by the engine and by a bare loop, in ms: medians of rounds in turns.

    The recipe's own settings, so that both clip, average, validate and keep the best. Processor time: both
    compute on one thread all the time, and another process's turn is nobody's overhead.
    """
    kind = find(recipe)
    how = replace(settings(recipe), epochs=case.epochs, patience=case.epochs, device="cpu", threads=1)
    parts = kind.split(kind.load(case.data, how), how)
    prepared, classes = kind.prepare(parts, how), len(parts.train.classes)
    train, validation = prepared.batches(parts.train), prepared.batches(parts.validation)

    def engine() -> float:
        network = prepared.build(1.0)
        began = process_time()
        fit(network, train, validation, how, how.seed, Progress(silent=True), classes=classes)
        return process_time() - began

    def bare() -> float:
        network = prepared.build(1.0)
        began = process_time()
        bareloop.fit(network, train, validation, how, how.seed, classes=classes)
        return process_time() - began

    threads = torch.get_num_threads()
    torch.set_num_threads(how.threads)
    try:
        engine(), bare()
        times = [(engine(), bare()) for _ in range(case.rounds)]
    finally:
        torch.set_num_threads(threads)
    ours, peer = (median(one) * 1e3 for one in zip(*times, strict=True))
    return ours, peer

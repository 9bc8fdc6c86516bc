"""A training run from data to a pressed model: data, baseline, train, export, press, report."""

import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from coldpress_build import runs
from coldpress_build.checkpoints import Checkpoints
from coldpress_build.data.dataset import Dataset
from coldpress_build.data.split import Parts
from coldpress_build.engine import train
from coldpress_build.export import CHECKED_ROWS, check, with_metadata, within_limit
from coldpress_build.extras import Extras, find_out
from coldpress_build.files import write_atomic
from coldpress_build.finish import finish
from coldpress_build.metadata import metadata
from coldpress_build.press.candidates import RECIPES
from coldpress_build.press.gate import Gate
from coldpress_build.press.heldout import HeldOut
from coldpress_build.press.press import Pressed, press
from coldpress_build.press.retraining import Retraining
from coldpress_build.progress import Progress
from coldpress_build.recipes import find
from coldpress_build.recipes.recipe import Recipe
from coldpress_build.report.json_text import to_json
from coldpress_build.report.report import Report, write
from coldpress_build.result import Learned, RunResult
from coldpress_build.sweep import as_toml
from coldpress_build.training import processes
from coldpress_build.training.resuming import own
from coldpress_build.training.tracking import check_installed, tracking
from coldpress_build.training.tracking.tracker import Tracker

MODEL, ORIGINAL, REPORT = "model.onnx", "model.fp32.onnx", "report"
BEST = "best.toml"


def run(
    recipe: str,
    config: Any,
    out: Path,
    *,
    data: str | Path | None = None,
    gate: Gate | None = None,
    checkpoints: Checkpoints | None = None,
    extras: Extras | None = None,
    silent: bool = False,
) -> RunResult:
    """Train `recipe` with `config` (one of its own; None: the defaults) and press what comes out.

    `data` is a file, the name of a packaged set, or None for the recipe's own. `checkpoints` (see
    `engine.train`) keep the state of the training, so that an interrupted one goes on where it was. `extras`:
    a sweep, whose best settings take the place of `config`'s; cross-validation; slices.

    The run's folder appears below `out` when all is done: config.json, metrics.json, model.fp32.onnx,
    model.onnx (the winner), report/, metrics.csv and tensorboard/; after a sweep best.toml.

    Under torchrun, the other processes help to train and end there (`SystemExit`).

    Raises:
        BuildError: the recipe is unknown, the data is no good, training fails, or the exported graph does not
            answer as the trained network does.
        Interrupted: SIGTERM came while it trained, and there are `checkpoints` to go on from.
    """
    progress = Progress(silent=silent or not processes.first())
    kind = find(recipe)
    config = kind.config() if config is None else config
    check_installed(config)
    return _run(kind, config, out, data, gate or Gate(), checkpoints, extras or Extras(), progress)


def _run(
    kind: Recipe,
    config: Any,
    out: Path,
    source: str | Path | None,
    gate: Gate,
    checkpoints: Checkpoints | None,
    extras: Extras,
    progress: Progress,
) -> RunResult:
    data, parts = _data(kind, config, source, progress)
    extras.check(data)
    found, config = find_out(kind, parts, config, extras, progress)
    if checkpoints:
        checkpoints = own(checkpoints, kind.name, config, data.reference)
    if not processes.first():
        train(kind.prepare(parts, config), parts, config, progress, checkpoints)
        raise SystemExit(0)
    recipe, run_id = kind.name, runs.new_id(kind.name)
    with (
        runs.whole_folder(out / run_id) as folder,
        tempfile.TemporaryDirectory(prefix="coldpress-") as scratch,
    ):
        with tracking(folder, run_id, config) as tracker:
            learned = _learn(kind, config, data, parts, checkpoints, tracker, progress)
        with progress.stage("export"):
            difference = _export(learned, folder / ORIGINAL)
            progress.conclude(f"ONNX, within {difference:.1g} of the trained network")
        with progress.stage("press"):
            retraining = Retraining(learned.trained, learned.parts, config, progress)
            pressed, winner = press(
                folder / ORIGINAL,
                Path(scratch),
                _held_out(learned, "validation"),
                _held_out(learned, "test"),
                gate,
                progress,
                (*RECIPES, *retraining.recipes()),
                calibration=retraining.ranges(),
            )
            progress.conclude(outcome(pressed))
        with progress.stage("report"):
            slices = extras.slices(parts.test)
            test = _held_out(learned, "test")
            evaluation = finish(learned, test, pressed, winner, folder / MODEL, slices)
            progress.conclude(str(out / run_id / REPORT / "index.html"))
            title = f"{recipe} on {learned.data.name}"
            training = found.added(learned.training(evaluation, difference))
            versions = runs.versions()
            report = Report(title, runs.now(), pressed, training, dict(progress.seconds), versions)
            write(report, folder / REPORT)
            settings = {"recipe": recipe, "config": asdict(learned.config), "dataset": learned.data.reference}
            write_atomic(folder / "config.json", to_json(settings | {"versions": versions}))
            if found.sweep is not None:
                write_atomic(folder / BEST, as_toml(found.sweep, config))
        result = RunResult(
            id=run_id,
            folder=out / run_id,
            model=out / run_id / MODEL,
            original=out / run_id / ORIGINAL,
            report=out / run_id / REPORT / "index.html",
            bytes=(folder / MODEL).stat().st_size,
            training=training,
            pressed=pressed,
            seconds=progress.seconds,
        )
        write_atomic(folder / "metrics.json", to_json(result.metrics()))
    if checkpoints and not checkpoints.keep:
        checkpoints.remove()
    return result


def outcome(pressed: Pressed) -> str:
    """The press in one line."""
    before, after = pressed.original, pressed.best
    return (
        f"{pressed.winner} of {len(pressed.candidates)} candidates: {before.bytes:,} -> {after.bytes:,} "
        f"bytes, {before.answers.score:.2f} -> {after.answers.score:.2f} points"
    )


def _data(kind: Recipe, config: Any, source: str | Path | None, progress: Progress) -> tuple[Dataset, Parts]:
    with progress.stage("data"):
        data = kind.load(None if source is None else str(source), config)
        parts = kind.split(data, config)
        counts = ", ".join(f"{count:,} {part}" for part, count in parts.counts().items())
        progress.conclude("; ".join([f"{data.reference}: {counts}", *data.notes]))
    return data, parts


def _learn(
    kind: Recipe,
    config: Any,
    data: Dataset,
    parts: Parts,
    checkpoints: Checkpoints | None,
    tracker: Tracker,
    progress: Progress,
) -> Learned:
    with progress.stage("baseline"):
        baseline = kind.baseline(parts)
        progress.conclude(f"{baseline.name}: test {baseline.metric} {baseline.test:.4f}")
    with progress.stage("train"):
        trained = train(kind.prepare(parts, config), parts, config, progress, checkpoints, tracker=tracker)
        chosen = trained.chosen
        figures = ", ".join(f"{name} {figure:.4f}" for name, figure in chosen.best.metrics.items())
        progress.conclude(
            f"{trained.parameters:,} parameters, seed {chosen.seed}, epoch {chosen.best.number}: validation "
            f"{figures}"
        )
    return Learned(kind.name, config, data, parts, baseline, trained)


def _export(learned: Learned, target: Path) -> float:
    """Write the graph with its metadata; answers how far it is from the trained network."""
    trained, data = learned.trained, learned.data
    # Spread over all of it: a file is often sorted by its classes.
    sample = data.take(np.linspace(0, len(data) - 1, min(CHECKED_ROWS, len(data))).astype(int))
    graph = within_limit(trained.prepared.graph(trained.network))
    model = with_metadata(graph, metadata(learned))
    difference = check(model, trained, sample)
    write_atomic(target, model.SerializeToString())
    return difference


def _held_out(learned: Learned, part: str) -> HeldOut:
    rows = getattr(learned.parts, part)
    return HeldOut(learned.trained.prepared.table(rows), rows.answers)

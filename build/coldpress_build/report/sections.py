"""The report's tables, each in a section of its own."""

from collections.abc import Iterator, Mapping
from typing import Any

from coldpress_build.config import shown
from coldpress_build.crossvalidation import CrossValidation
from coldpress_build.evaluation.evaluate import Evaluation
from coldpress_build.press.candidates import BASELINE
from coldpress_build.press.press import Candidate, Pressed
from coldpress_build.report.drawing import TIMES
from coldpress_build.report.headline import NAMES
from coldpress_build.report.html import paragraph, section, table
from coldpress_build.report.report import Report, Training
from coldpress_build.sweep import Sweep

TRIALS = 20
"""Rows of the table of trials: the best ones."""


def sections(report: Report) -> Iterator[str]:
    """All of them, the most asked-for first."""
    training = report.training
    if training is not None:
        yield section("Figures on the test part", *_figures(training), folded=False)
    yield section("Candidates of the press", *_candidates(report.pressed), folded=False)
    if training is not None:
        evaluation = training.evaluation
        if evaluation.classes:
            yield section("By class", _classes(evaluation), folded=len(evaluation.classes) > 12)
        if evaluation.slices:
            yield section("Slices", *_slices(evaluation), folded=len(evaluation.slices) > 12)
        if training.cross_validation is not None:
            yield section("Cross-validation", *_folds(training.cross_validation))
        if training.sweep is not None:
            yield section("Sweep", *_trials(training.sweep))
        yield section("Data", *_data(training))
        yield section("Fits", _fits(training))
        yield section("Settings", _pairs({name: str(value) for name, value in training.config.items()}))
    yield section("Time", _pairs({name: f"{seconds:.1f} s" for name, seconds in report.seconds.items()}))
    yield section("Versions", _pairs(report.versions))


def _pairs(pairs: Mapping[str, str]) -> str:
    return table(["Name", "Value"], [[name, value] for name, value in pairs.items()])


def _figures(training: Training) -> Iterator[str]:
    evaluation, baseline = training.evaluation, training.baseline
    rows = [
        [NAMES[name], f"{one.value:.4f}", f"{one.low:.4f}", f"{one.high:.4f}"]
        for name, one in evaluation.metrics.items()
    ]
    if evaluation.calibration is not None:
        rows.append(["Expected calibration error", f"{evaluation.calibration.error:.4f}", "", ""])
    yield table(["Of the published model", "Figure", "from", "to"], rows, numbers=range(1, 4))
    simple = [
        [baseline.name, f"{baseline.test:.4f}"],
        [f"always the {'commonest class' if training.classes else 'mean'}", f"{baseline.trivial:.4f}"],
    ]
    yield table([f"Simpler models, {baseline.metric}", "Figure"], simple, numbers=[1])
    yield paragraph(f"{evaluation.rows:,} rows. {evaluation.intervals}.")
    if len(evaluation.rankings) == 1:
        yield paragraph(f"ROC-AUC and average precision are of the class {evaluation.rankings[0].name!r}.")


def _classes(evaluation: Evaluation) -> str:
    ranked = {one.name: one for one in evaluation.rankings}
    rows = []
    for one in evaluation.classes:
        area = f"{ranked[one.name].roc_auc:.4f}" if one.name in ranked else ""
        figures = [f"{figure:.4f}" for figure in (one.precision, one.recall, one.f1)]
        rows.append([one.name, *figures, area, f"{one.rows:,}"])
    return table(["Class", "Precision", "Recall", "F1", "ROC-AUC", "Rows"], rows, numbers=range(1, 6))


def _slices(evaluation: Evaluation) -> Iterator[str]:
    metric = NAMES[evaluation.slice_metric]
    rows = [
        [
            one.column,
            one.value,
            f"{one.rows:,}",
            f"{one.metric.value:.4f}",
            f"{one.metric.low:.4f} to {one.metric.high:.4f}",
            "" if one.baseline is None else f"{one.baseline:.4f}",
            ", ".join(["few rows"] * one.few + ["differs from the whole"] * one.differs),
        ]
        for one in evaluation.slices
    ]
    heads = ["Column", "Value", "Rows", metric, "Interval", "Baseline", ""]
    yield table(heads, rows, numbers=range(2, 6))
    yield paragraph(
        "A slice differs where the whole test part's figure is outside of its interval; one in twenty does "
        "so by chance."
    )


def _candidates(pressed: Pressed) -> Iterator[str]:
    gate = pressed.gate
    heads = [
        "Name",
        "What",
        "Points",
        "On test",
        "File, bytes",
        "Served, bytes",
        "Request, ms",
        "Opening, ms",
    ]
    rows = [_candidate(candidate) for candidate in pressed.candidates]
    winner = [candidate.name for candidate in pressed.candidates].index(pressed.winner)
    yield table([*heads, "Gate"], rows, numbers=range(2, 8), winner=winner)
    yield paragraph(
        f"Published: {pressed.winner}, the smallest that passes the gate. Scored by {pressed.scoring.metric} "
        f"on {pressed.rows} held-out rows, in the serving runtime. Allowed: at most {gate.max_loss:g} points "
        f"lost; smaller, as a file and as it is served; a request at most {gate.max_slower:g} times as long "
        f"(or {gate.slower_ms:g} ms more), opening too (or {gate.opens_slower_ms:g} ms more); every number "
        f"finite, and within {gate.max_batch_difference:g} of itself in a batch."
    )


def _candidate(one: Candidate) -> list[str]:
    verdict = one.reason or ("the original" if one.name == BASELINE else "passes")
    if one.figures is None:
        return [one.name, one.how, *[""] * 6, verdict]
    figures = one.figures
    return [
        one.name,
        one.how,
        f"{figures.answers.score:.2f}",
        "" if figures.test_score is None else f"{figures.test_score:.2f}",
        f"{figures.bytes:,}",
        f"{figures.served_bytes:,}",
        f"{figures.latency_ms:.3f} ({TIMES}{figures.slower:.2f})",
        f"{figures.open_ms:.1f} ({TIMES}{figures.opens_slower:.2f})",
        verdict,
    ]


def _folds(found: CrossValidation) -> Iterator[str]:
    names = list(found.metrics)
    rows = [
        [
            str(fold.number),
            f"{fold.rows:,}",
            *(f"{fold.metrics[name]:.4f}" for name in names),
            f"{fold.baseline:.4f}",
            f"{fold.seconds:.1f}",
        ]
        for fold in found.folds
    ]
    means = [f"{found.metrics[name].mean:.4f}" for name in names]
    apart = [f"{found.metrics[name].deviation:.4f}" for name in names]
    rows.append(["mean", "", *means, f"{found.baseline_spread.mean:.4f}", ""])
    rows.append(["± deviation", "", *apart, f"{found.baseline_spread.deviation:.4f}", ""])
    heads = ["Fold", "Rows", *(NAMES[name] for name in names), found.baseline, "Seconds"]
    yield table(heads, rows, numbers=range(1, len(heads)))
    yield paragraph(
        "Each fold's model was learned from the other folds alone, its vocabulary, means and scales too, and "
        "before the press. The published model was then trained as always."
    )


def _trials(sweep: Sweep) -> Iterator[str]:
    names = list(sweep.space)
    ranked = sorted(sweep.trials, key=lambda trial: (trial.state != "complete", trial.loss or float("inf")))
    rows = [
        [
            str(trial.number),
            trial.state,
            "" if trial.loss is None else f"{trial.loss:.4f}",
            str(trial.epochs),
            *(_short(trial.settings.get(name, "")) for name in names),
        ]
        for trial in ranked[:TRIALS]
    ]
    yield table(["Trial", "State", "Validation loss", "Epochs", *names], rows, winner=0)
    states = [trial.state for trial in sweep.trials]
    told = ", ".join(f"{states.count(state)} {state}" for state in dict.fromkeys(states))
    searched = "; ".join(f"{name}: {words}" for name, words in sweep.space.items())
    yield paragraph(f"{len(states)} trials ({told}), the best {len(rows)} shown. Searched: {searched}.")


def _short(value: Any) -> str:
    return f"{value:.3g}" if isinstance(value, float) else shown(value)


def _data(training: Training) -> Iterator[str]:
    rows = [[part, f"{count:,}"] for part, count in training.counts.items()]
    yield table(["Part", "Rows"], rows, numbers=[1])
    yield paragraph(f"{training.dataset}: {'; '.join(training.notes) or 'every row used'}.")
    yield paragraph(f"SHA-256 {training.fingerprint}")


def _fits(training: Training) -> str:
    rows = [
        [
            str(fit.seed),
            str(len(fit.epochs)),
            str(fit.best.number),
            f"{fit.best.validation_loss:.4f}",
            ", ".join(f"{name} {figure:.4f}" for name, figure in fit.best.metrics.items()),
            f"{fit.seconds:.1f} s",
        ]
        for fit in training.fits
    ]
    heads = ["Seed", "Epochs", "Best epoch", "Validation loss", "On validation", "Took"]
    return table(heads, rows, numbers=range(6), winner=training.fits.index(training.chosen))

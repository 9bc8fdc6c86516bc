"""Make the candidates, measure them side by side, let the gate choose."""

from dataclasses import dataclass
from functools import partial
from pathlib import Path
from statistics import median

from coldpress.errors import ColdpressError
from coldpress_build.errors import BuildError
from coldpress_build.press.candidates import BASELINE, RECIPES, Recipe, make
from coldpress_build.press.gate import Figures, Gate, reasons
from coldpress_build.press.heldout import HeldOut, Scoring, scoring_of
from coldpress_build.press.measure import answers, ask, batch_sizes, ratio, request, side_by_side
from coldpress_build.progress import Progress
from coldpress_build.serving import ServedForm, ServedModel, served_form


@dataclass(frozen=True)
class Candidate:
    """One form of the model. `figures` is None if it could not be measured; `reason` is "" if it passes."""

    name: str
    how: str
    figures: Figures | None
    passed: bool
    reason: str


@dataclass(frozen=True)
class Pressed:
    """`candidates` has the original first; `winner` is the smallest that passed, the original if none did."""

    candidates: tuple[Candidate, ...]
    winner: str
    scoring: Scoring
    gate: Gate
    rows: int

    def candidate(self, name: str) -> Candidate:
        """The candidate of that name."""
        return next(candidate for candidate in self.candidates if candidate.name == name)

    @property
    def original(self) -> Figures:
        """The original's figures."""
        return _figures(self.candidate(BASELINE))

    @property
    def best(self) -> Figures:
        """The winner's figures."""
        return _figures(self.candidate(self.winner))


def press(
    original: Path,
    folder: Path,
    validation: HeldOut,
    test: HeldOut | None,
    gate: Gate,
    progress: Progress,
    recipes: tuple[Recipe, ...] = RECIPES,
) -> tuple[Pressed, Path]:
    """Press the model file `original`, with candidates in `folder`. `test` is reported, it never decides.

    Returns:
        What was measured, and the winner's file.

    Raises:
        BuildError: the original cannot be opened, run on these rows or scored, or gives numbers not finite.
    """
    model = ServedModel.open(original)
    scoring = scoring_of(model, validation.target)
    size = batch_sizes(model)[-1]
    if not answers(model, validation, scoring).finite:
        raise BuildError(
            f"{original.name} gives numbers that are not finite on these rows; nothing can be compared"
        )
    files, forms, broken = {BASELINE: original}, {}, {}
    for recipe in recipes:
        progress.tell(f"making {recipe.name}")
        files[recipe.name] = folder / f"{recipe.name}.onnx"
        broken[recipe.name] = make(recipe, original, files[recipe.name])
    for name, file in files.items():
        if not broken.get(name):
            try:
                forms[name] = served_form(file, folder / f"{name}.ort", validation.rows(0, size))
            except ColdpressError as error:
                broken[name] = f"it does not run: {error}"
    figures = _measure(files, forms, validation, test, scoring, progress)
    candidates = [Candidate(BASELINE, "as it was trained", figures[BASELINE], passed=True, reason="")]
    for recipe in recipes:
        reason = broken[recipe.name]
        if recipe.name in figures:
            reason = "; ".join(reasons(figures[recipe.name], figures[BASELINE], gate))
        candidates.append(Candidate(recipe.name, recipe.how, figures.get(recipe.name), not reason, reason))
    winner = min((one for one in candidates if one.passed), key=lambda one: _figures(one).bytes)
    return Pressed(tuple(candidates), winner.name, scoring, gate, len(validation)), files[winner.name]


def _measure(
    files: dict[str, Path],
    forms: dict[str, ServedForm],
    validation: HeldOut,
    test: HeldOut | None,
    scoring: Scoring,
    progress: Progress,
) -> dict[str, Figures]:
    progress.tell("measuring, side by side")
    models = {name: ServedModel.open_form(form) for name, form in forms.items()}
    asking = side_by_side({name: request(model, validation) for name, model in models.items()})
    opening = side_by_side({name: partial(ServedModel.open_form, form) for name, form in forms.items()})
    figures = {}
    for name, model in models.items():
        progress.tell(f"scoring {name}")
        form = forms[name]
        figures[name] = Figures(
            bytes=files[name].stat().st_size,
            served_bytes=form.file.stat().st_size,
            optimised=form.optimised,
            note=form.note,
            answers=answers(model, validation, scoring),
            test_score=None if test is None else _score(model, test, scoring),
            latency_ms=median(asking[name]) * 1e3,
            slower=ratio(asking[name], asking[BASELINE]),
            open_ms=median(opening[name]) * 1e3,
            opens_slower=ratio(opening[name], opening[BASELINE]),
        )
    return figures


def _score(model: ServedModel, rows: HeldOut, scoring: Scoring) -> float:
    given = ask(model, rows, batch_sizes(model)[0])[scoring.output]
    return scoring.points(scoring.answers(given), rows.target)


def _figures(candidate: Candidate) -> Figures:
    if candidate.figures is None:
        raise ValueError(f"{candidate.name} was not measured")
    return candidate.figures

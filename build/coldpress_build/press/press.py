"""Make the candidates one after the other, measure each beside the original, let the gate choose."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from coldpress.errors import ColdpressError
from coldpress_build.errors import BuildError, DataError
from coldpress_build.press.candidates import BASELINE, RECIPES, Recipe, Source, make, prepare
from coldpress_build.press.compare import Bench, flag
from coldpress_build.press.gate import Figures, Gate, answer_reasons, is_batch_sensitive, reasons
from coldpress_build.press.heldout import HeldOut, Scoring, scoring_of
from coldpress_build.press.static import Rows
from coldpress_build.progress import Progress
from coldpress_build.serving import ServedModel


@dataclass(frozen=True)
class Candidate:
    """One form of the model. `figures` is None if it could not be measured; `reason` is "" if it passes.

    `batch_sensitive`: an answer depends on the rest of its batch; requests must not be merged.
    """

    name: str
    how: str
    figures: Figures | None
    passed: bool
    reason: str
    batch_sensitive: bool = False


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
    recipes: Sequence[Recipe] = RECIPES,
    *,
    calibration: Rows | None = None,
    foreign: bool = False,
) -> tuple[Pressed, Path]:
    """Press the model file `original`, with candidates in `folder`.

    Args:
        validation: the rows that the gate decides by.
        test: reported, it never decides.
        calibration: rows that ranges of activations are taken from; none of the other two.
        foreign: the rows are not from where the model is, and may have other names for its classes.

    Returns:
        What was measured, and the winner's file.

    Raises:
        BuildError: the original cannot be opened, run on these rows or scored, or gives numbers not finite;
            it gets none of the `foreign` rows right.
    """
    model = ServedModel.open(original, gate.threads)
    scoring = scoring_of(model, validation.target)
    progress.tell("scoring the original")
    bench = Bench(original, folder, validation, test, scoring, gate)
    if not bench.original.answers.finite:
        raise BuildError(
            f"{original.name} gives numbers that are not finite on these rows; nothing can be compared"
        )
    if foreign and scoring.metric == "accuracy" and not bench.original.answers.score:
        got, true = bench.answers.tolist()[0], validation.target.tolist()[0]
        raise DataError(
            f"{original.name} gets none of the {len(validation)} rows right, the first of them is {got!r} to "
            f"it and {true!r} in the data; nothing can be lost then. Give rows with the model's own class "
            "names, and say which column has them"
        )
    work = _Work(folder, bench, calibration, model.metadata, original)
    del model
    candidates = [Candidate(BASELINE, "as it was trained", bench.original, passed=True, reason="")]
    for recipe in recipes:
        candidates.append(work.candidate(recipe, candidates, progress))
        work.forget(candidates, recipes)
    winner = _smallest(candidates)
    return Pressed(tuple(candidates), winner.name, scoring, gate, len(validation)), work.files[winner.name]


class _Work:
    """The files in `folder`, and what is known of them."""

    def __init__(
        self, folder: Path, bench: Bench, calibration: Rows | None, metadata: dict[str, str], original: Path
    ) -> None:
        self.files = {BASELINE: original}
        self._folder = folder
        self._bench = bench
        self._calibration = calibration
        self._metadata = metadata
        self._sources: dict[str, Source] = {}

    def candidate(self, recipe: Recipe, before: Sequence[Candidate], progress: Progress) -> Candidate:
        """Make and judge one, unless what was found `before` says that it is not worth it."""
        known = {one.name: one for one in before}
        passed = [name for name in recipe.unless if name in known and known[name].passed]
        if passed:
            return self._without(recipe, f"not tried: {passed[0]} passed")
        best = _smallest(before)
        if _figures(best).bytes <= recipe.enough * self._bench.original.bytes:
            return self._without(recipe, f"not tried: {best.name} is small enough")
        base = known[recipe.base]
        if base.figures is None:
            return self._without(recipe, f"not tried: there is no {recipe.base}")
        if not self._answers_well(base):
            return self._without(recipe, f"not tried: {recipe.base} does not answer well enough")
        rows, gate = len(self._bench.validation), self._bench.gate
        if recipe.anew and self._bench.original.answers.metric == "accuracy" and rows < gate.needs:
            few = f"{rows} rows are too few to judge a network that is fitted anew, {gate.needs} would do"
            return self._without(recipe, f"not tried: {few}")
        progress.tell(f"making {recipe.name}")
        target = self._folder / f"{recipe.name}.onnx"
        reason = make(recipe, self._source(recipe.base), target, self._metadata)
        if reason:
            target.unlink(missing_ok=True)
            return self._without(recipe, reason)
        progress.tell(f"measuring {recipe.name}")
        try:
            figures = self._bench.measure(target)
        except ColdpressError as error:
            return self._without(recipe, f"it does not run: {error}")
        self.files[recipe.name] = target
        return self._judged(recipe, figures)

    def _judged(self, recipe: Recipe, figures: Figures) -> Candidate:
        gate, rows = self._bench.gate, len(self._bench.validation)
        reason = "; ".join(reasons(figures, self._bench.original, gate, rows))
        sensitive = is_batch_sensitive(figures.answers, gate)
        if sensitive and not reason:
            figures = replace(figures, bytes=flag(self.files[recipe.name]))
        return Candidate(recipe.name, recipe.how, figures, not reason, reason, sensitive)

    def _without(self, recipe: Recipe, reason: str) -> Candidate:
        return Candidate(recipe.name, recipe.how, None, passed=False, reason=reason)

    def _answers_well(self, one: Candidate) -> bool:
        wanted, gate, rows = self._bench.original, self._bench.gate, len(self._bench.validation)
        return not tuple(answer_reasons(_figures(one), wanted, gate, rows))

    def _source(self, base: str) -> Source:
        if base not in self._sources:
            prepared = prepare(self.files[base], self._folder / f"{base}.prepared.onnx")
            self._sources[base] = Source(prepared, self._calibration)
        return self._sources[base]

    def forget(self, found: Sequence[Candidate], recipes: Sequence[Recipe]) -> None:
        """Remove the newest file if it cannot win and nothing is made from it: models may be large."""
        best, last = _smallest(found), found[-1]
        for one in found:
            wanted = one is best or one.name == BASELINE or any(recipe.base == one.name for recipe in recipes)
            if not wanted and one.name in self.files and (one is last or one.passed):
                self.files.pop(one.name).unlink()


def _smallest(candidates: Sequence[Candidate]) -> Candidate:
    return min((one for one in candidates if one.passed), key=lambda one: _figures(one).bytes)


def _figures(candidate: Candidate) -> Figures:
    if candidate.figures is None:
        raise ValueError(f"{candidate.name} was not measured")
    return candidate.figures

"""The original and a candidate beside each other in the serving runtime; two models in memory, never more."""

import shutil
from dataclasses import replace
from functools import partial
from math import nan
from pathlib import Path
from statistics import median

import onnx

from coldpress.ingest.metadata import BATCH_SENSITIVE
from coldpress_build.press.candidates import BASELINE
from coldpress_build.press.confidence import lost
from coldpress_build.press.gate import Figures, Gate, reasons, time_reasons
from coldpress_build.press.heldout import Array, HeldOut, Scoring
from coldpress_build.press.measure import Answers, answers, ask, batch_sizes, ratio, request, side_by_side
from coldpress_build.serving import ServedForm, ServedModel, served_form


class Bench:
    """Measures candidates against `original`, whose own figures are `original` and whose `answers` (see
    `Scoring.answers`) are those to the validation rows.

    Raises:
        BuildError: the original cannot be opened, or fails on the rows.
    """

    def __init__(
        self,
        original: Path,
        folder: Path,
        validation: HeldOut,
        test: HeldOut | None,
        scoring: Scoring,
        gate: Gate,
    ) -> None:
        self.validation, self.gate = validation, gate
        self._folder, self._test, self._scoring = folder, test, scoring
        self._form = self._served(original, BASELINE)
        model = self._open(self._form)
        found, self.answers = answers(model, validation, scoring)
        self.original = self._untimed(original, self._form, model, found)
        self.original = self._timed(self.original, model, self._form)

    def measure(self, file: Path) -> Figures:
        """The figures of the candidate in `file`.

        Raises:
            BuildError: it cannot be opened, or fails on the rows.
        """
        form = self._served(file, file.stem)
        try:
            return self._measured(file, form)
        finally:
            shutil.rmtree(self._folder / f"{file.stem}.served")

    def _measured(self, file: Path, form: ServedForm) -> Figures:
        model = self._open(form)
        found, given = answers(model, self.validation, self._scoring)
        loss = lost(self.answers, given, self.validation, self._scoring)
        figures = replace(self._untimed(file, form, model, found), loss=loss)
        figures = self._timed(figures, model, form)
        why = reasons(figures, self.original, self.gate, len(self.validation))
        if why and why == tuple(time_reasons(figures, self.original, self.gate)):
            # Once more: a machine that was busy just then must not decide.
            again = self._timed(figures, model, form)
            figures = min(figures, again, key=lambda one: max(one.slower, one.opens_slower))
        return figures

    def _untimed(self, file: Path, form: ServedForm, model: ServedModel, found: Answers) -> Figures:
        return Figures(
            bytes=file.stat().st_size,
            served_bytes=form.file.stat().st_size,
            optimised=form.optimised,
            note=form.note,
            answers=found,
            loss=None,
            test_score=self._test_score(model),
            latency_ms=nan,
            slower=nan,
            open_ms=nan,
            opens_slower=nan,
        )

    def _timed(self, figures: Figures, model: ServedModel, form: ServedForm) -> Figures:
        # Opened for this alone: while a candidate is made, its maker needs the memory.
        models = {"it": model, "original": self._open(self._form)}
        forms = {"it": form, "original": self._form}
        asking = side_by_side({name: request(one, self.validation) for name, one in models.items()})
        opening = side_by_side({name: partial(self._open, one) for name, one in forms.items()})
        return replace(
            figures,
            latency_ms=median(asking["it"]) * 1e3,
            slower=ratio(asking["it"], asking["original"]),
            open_ms=median(opening["it"]) * 1e3,
            opens_slower=ratio(opening["it"], opening["original"]),
        )

    def _open(self, form: ServedForm) -> ServedModel:
        return ServedModel.open_form(form, self.gate.threads)

    def _served(self, file: Path, name: str) -> ServedForm:
        # The file is opened as such once: what its batch sizes are, its first rows are asked with.
        size = batch_sizes(ServedModel.open(file, self.gate.threads))[-1]
        rows = self.validation.rows(0, size)
        return served_form(file, self._folder / f"{name}.served", rows, self.gate.threads)

    def _test_score(self, model: ServedModel) -> float | None:
        if self._test is None:
            return None
        given: Array = ask(model, self._test, batch_sizes(model)[-1])[self._scoring.output]
        return self._scoring.points(self._scoring.answers(given), self._test.target)


def flag(file: Path) -> int:
    """Mark the model in `file` as batch sensitive; its size then, in bytes."""
    model = onnx.load(file)
    known = {entry.key: entry.value for entry in model.metadata_props}
    onnx.helper.set_model_props(model, known | {BATCH_SENSITIVE: "true"})
    onnx.save(model, file)
    return file.stat().st_size

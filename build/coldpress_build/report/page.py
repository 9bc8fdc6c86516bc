"""The report as one HTML file that needs nothing else: headline, pictures, then tables to unfold."""

from collections.abc import Iterator
from html import escape

from coldpress_build.report.drawing import Plot, styled
from coldpress_build.report.headline import headline
from coldpress_build.report.html import paragraph, plots, tiles
from coldpress_build.report.plots.candidates import pareto
from coldpress_build.report.plots.classes import confusion, reliability, roc
from coldpress_build.report.plots.search import folds, history, importance
from coldpress_build.report.plots.slices import sliced
from coldpress_build.report.plots.training import curves
from coldpress_build.report.plots.values import predictions, residuals
from coldpress_build.report.report import Report, Training
from coldpress_build.report.sections import sections
from coldpress_build.report.style import STYLE


def page(report: Report) -> str:
    """The whole page."""
    with styled():
        drawn = plots(_pictures(report))
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width, initial-scale=1">',
            f"<title>{escape(report.title)}</title><style>{STYLE}</style></head><body>",
            f"<h1>{escape(report.title)}</h1>",
            paragraph(report.created),
            tiles(headline(report)),
            drawn,
            *sections(report),
            "</body></html>",
            "",
        ]
    )


def _pictures(report: Report) -> Iterator[Plot]:
    if report.training is not None:
        yield from _answers(report.training)
    yield pareto(report.pressed)
    if report.training is not None:
        yield from _learning(report.training)


def _answers(training: Training) -> Iterator[Plot]:
    evaluation = training.evaluation
    if evaluation.classes:
        yield confusion(evaluation)
    if evaluation.rankings:
        yield roc(evaluation)
    if evaluation.calibration is not None:
        yield reliability(evaluation, evaluation.calibration)
    if evaluation.pairs is not None:
        yield predictions(evaluation, evaluation.pairs)
        yield residuals(evaluation.pairs)
    for column in dict.fromkeys(one.column for one in evaluation.slices):
        yield sliced(evaluation, column)


def _learning(training: Training) -> Iterator[Plot]:
    yield curves(training)
    if training.cross_validation is not None:
        yield folds(training.cross_validation)
    if training.sweep is not None:
        yield history(training.sweep)
        if training.sweep.importance:
            yield importance(training.sweep)

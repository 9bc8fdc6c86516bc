"""The report as one HTML file that needs nothing else."""

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from coldpress_build.press.candidates import BASELINE
from coldpress_build.press.press import Candidate, Pressed
from coldpress_build.report.report import Report, Training

STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 2rem auto; padding: 0 1rem }
body { color: #1a1a1a } p.note { color: #555 } img { max-width: 100%; height: auto }
h1 { font-size: 1.5rem; margin-bottom: 0 } h2 { font-size: 1.1rem; margin-top: 2rem }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .75rem .25rem 0; border-bottom: 1px solid #ddd }
th, td { text-align: left; vertical-align: top }
td.number, th.number { text-align: right } td.number { white-space: nowrap }
tr.winner td { font-weight: 600 }
@media (prefers-color-scheme: dark) { body { background: #161616; color: #e6e6e6 } p.note { color: #aaa }
  th, td { border-color: #444 } img { background: white } }
"""


def page(report: Report, drawing: bytes) -> str:
    """The whole page; `drawing` is its picture, a PNG."""
    parts = [*_candidates(report.pressed)]
    if report.training is not None:
        parts += _training(report.training)
    stages = [[name, f"{seconds:.1f} s"] for name, seconds in report.seconds.items()]
    versions = [[name, version] for name, version in report.versions.items()]
    return "\n".join(
        [
            "<!doctype html>",
            '<html lang="en"><head><meta charset="utf-8">',
            '<meta name="viewport" content="width=device-width">',
            f"<title>{escape(report.title)}</title><style>{STYLE}</style></head><body>",
            f'<h1>{escape(report.title)}</h1><p class="note">{escape(report.created)}</p>',
            f'<img alt="{escape(_said(report))}" src="data:image/png;base64,{b64encode(drawing).decode()}">',
            *parts,
            "<h2>Time</h2>",
            _table(["Stage", "Took"], stages),
            "<h2>Versions</h2>",
            _table(["Package", "Version"], versions),
            "</body></html>",
            "",
        ]
    )


def _said(report: Report) -> str:
    """The picture in words."""
    pressed = report.pressed
    return (
        f"Size as served against {pressed.scoring.metric} of {len(pressed.candidates)} candidates; published "
        f"is {pressed.winner}: {pressed.best.served_bytes} bytes, {pressed.best.answers.score:.2f} points."
    )


def _candidates(pressed: Pressed) -> Iterable[str]:
    gate = pressed.gate
    yield "<h2>Candidates</h2>"
    yield (
        f"<p>Published: <b>{escape(pressed.winner)}</b>, the smallest that passes the gate. Scored by "
        f"{escape(pressed.scoring.metric)} on {pressed.rows} held-out rows, in the serving runtime. Allowed: "
        f"at most {gate.max_loss:g} points lost; smaller, as a file and as it is served; a request at most "
        f"{gate.max_slower:g} times as long (or {gate.slower_ms:g} ms more), opening too (or "
        f"{gate.opens_slower_ms:g} ms more); every number finite, and within "
        f"{gate.max_batch_difference:g} of itself in a batch.</p>"
    )
    heads = [
        "Name",
        "What",
        "Points",
        "On test",
        "File, bytes",
        "Served, bytes",
        "Request, ms",
        "Opening, ms",
        "Gate",
    ]
    rows = [_candidate(candidate) for candidate in pressed.candidates]
    winner = [candidate.name for candidate in pressed.candidates].index(pressed.winner)
    yield _table(heads, rows, numbers=range(2, 8), winner=winner)


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
        f"{figures.latency_ms:.3f} (x {figures.slower:.2f})",
        f"{figures.open_ms:.1f} (x {figures.opens_slower:.2f})",
        verdict,
    ]


def _training(training: Training) -> Iterable[str]:
    evaluation, baseline = training.evaluation, training.baseline
    yield "<h2>On the test part</h2>"
    yield _table(
        ["Model", baseline.metric],
        [
            ["published", f"{evaluation.score.value:.4f}"],
            [baseline.name, f"{baseline.test:.4f}"],
            [f"always the {'commonest class' if training.classes else 'mean'}", f"{baseline.trivial:.4f}"],
        ],
        numbers=[1],
    )
    scores = [("macro", evaluation.precision, evaluation.recall, evaluation.f1, evaluation.rows)]
    scores += [(one.name, one.precision, one.recall, one.f1, one.rows) for one in evaluation.classes]
    yield "<h2>By class</h2>"
    yield _table(
        ["Class", "Precision", "Recall", "F1", "Rows"],
        [[name, f"{p:.4f}", f"{r:.4f}", f"{f1:.4f}", str(rows)] for name, p, r, f1, rows in scores],
        numbers=range(1, 5),
    )
    yield "<h2>Data</h2>"
    counts = ", ".join(f"{count:,} to {part}" for part, count in training.counts.items())
    notes = "; ".join(training.notes) or "every row used"
    yield f"<p>{escape(training.dataset)}: {escape(counts)}. {escape(notes)}.<br>{training.fingerprint}</p>"
    yield "<h2>Runs</h2>"
    yield _table(
        ["Seed", "Epochs", "Best epoch", "Validation loss", "Validation figures", "Took"],
        [
            [
                str(fit.seed),
                str(len(fit.epochs)),
                str(fit.best.number),
                f"{fit.best.validation_loss:.4f}",
                ", ".join(f"{name} {figure:.4f}" for name, figure in fit.best.metrics.items()),
                f"{fit.seconds:.1f} s",
            ]
            for fit in training.fits
        ],
        numbers=range(6),
        winner=training.fits.index(training.chosen),
    )
    yield "<h2>Settings</h2>"
    yield _table(["Name", "Value"], [[name, str(value)] for name, value in training.config.items()])


def _table(
    heads: Sequence[str], rows: Sequence[Sequence[str]], numbers: Iterable[int] = (), winner: int = -1
) -> str:
    right = set(numbers)

    def cells(tag: str, row: Sequence[str]) -> str:
        kinds = [' class="number"' if place in right else "" for place in range(len(row))]
        return "".join(f"<{tag}{kind}>{escape(cell)}</{tag}>" for kind, cell in zip(kinds, row, strict=True))

    lines = [f"<tr>{cells('th', heads)}</tr>"]
    lines += [
        f"<tr{' class=winner' if place == winner else ''}>{cells('td', row)}</tr>"
        for place, row in enumerate(rows)
    ]
    return f"<table>{''.join(lines)}</table>"

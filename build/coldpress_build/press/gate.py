"""What a candidate must be, to be published in place of the original."""

from collections.abc import Iterator
from dataclasses import dataclass

from coldpress_build.press.confidence import Loss, rows_needed
from coldpress_build.press.measure import Answers


@dataclass(frozen=True)
class Gate:
    """`max_loss` in points of the score on the held-out rows; the 95 % interval of the loss must end at
    `max_doubt` points. Fewer accuracy rows than could show that (see `needs`): no row may be spoiled at all,
    and no network that was fitted anew passes.
    A request may take `max_slower` times the
    original's time or `slower_ms` more, whichever allows more; opening `max_slower` times or
    `opens_slower_ms` more, both on `threads` threads. `max_batch_difference` is that of a number asked for
    alone and in a batch; where `batch_sensitive` is true a larger one is allowed, and the model says so."""

    max_loss: float = 0.5
    max_doubt: float = 2.0
    max_slower: float = 1.10
    slower_ms: float = 0.02
    opens_slower_ms: float = 1.0
    max_batch_difference: float = 1e-3
    batch_sensitive: bool = False
    threads: int = 1

    @property
    def needs(self) -> int:
        """Accuracy rows on which the interval of a candidate that changes no answer ends at `max_doubt`."""
        return rows_needed(self.max_doubt)


@dataclass(frozen=True)
class Figures:
    """What was measured of a candidate; `loss` is None of the original.

    `bytes` of the ONNX file; `served_bytes` of what a cold function fetches (see `serving.ServedForm`, whose
    other fields are `optimised` and `note`). Times are of that form, in milliseconds:
    `latency_ms` of one request with the smallest batch, `open_ms` of opening it; `slower` and `opens_slower`
    are those over the original's, as medians over rounds side by side.
    """

    bytes: int
    served_bytes: int
    optimised: bool
    note: str
    answers: Answers
    loss: Loss | None
    test_score: float | None
    latency_ms: float
    slower: float
    open_ms: float
    opens_slower: float


def reasons(figures: Figures, original: Figures, gate: Gate, rows: int) -> tuple[str, ...]:
    """Why the candidate may not take the original's place, as `rows` held-out rows say; none when it may."""
    return (
        *answer_reasons(figures, original, gate, rows),
        *_batch_reasons(figures.answers, original.answers, gate),
        *_size_reasons(figures, original),
        *time_reasons(figures, original, gate),
    )


def answer_reasons(figures: Figures, original: Figures, gate: Gate, rows: int) -> Iterator[str]:
    """Those that lie in what it answers: nothing made from it can be better."""
    if not figures.answers.finite:
        yield "some of its numbers are not finite"
    loss = figures.loss
    if loss is None:
        return
    # Scores are shares of rows: the rounding of their difference must not decide.
    if not loss.points <= gate.max_loss + 1e-9:
        after = f"{figures.answers.score:.2f} after {original.answers.score:.2f}"
        yield f"loses {loss.points:.2f} points ({after}), {gate.max_loss:g} allowed"
    elif figures.answers.metric == "accuracy" and rows < gate.needs:
        if loss.spoiled:
            yield (
                f"answers {loss.spoiled} rows wrong that the original answers right; {rows} rows are too few "
                f"to weigh that, {gate.needs} would do"
            )
    elif not loss.high <= gate.max_doubt:
        yield (
            f"may lose up to {loss.high:.2f} points (95 % interval), {gate.max_doubt:g} allowed; more "
            "held-out rows would narrow it"
        )


def is_batch_sensitive(given: Answers, gate: Gate) -> bool:
    """Whether an answer depends on what else is in the batch."""
    return given.batch_flips > 0 or not (given.batch_difference or 0.0) <= gate.max_batch_difference


def _batch_reasons(given: Answers, wanted: Answers, gate: Gate) -> Iterator[str]:
    if gate.batch_sensitive or given.batch_difference is None:
        return
    allowed = max(gate.max_batch_difference, wanted.batch_difference or 0.0)
    if not given.batch_difference <= allowed:
        yield f"answers {given.batch_difference:.2g} apart in a batch, {allowed:g} allowed"
    if given.batch_flips > wanted.batch_flips:
        yield f"{given.batch_flips} rows change their class in a batch"


def _size_reasons(figures: Figures, original: Figures) -> Iterator[str]:
    if original.optimised and not figures.optimised:
        yield f"cannot be stored in the form that opens fastest: {figures.note}"
    if figures.bytes >= original.bytes:
        yield f"is not smaller: {figures.bytes} bytes after {original.bytes}"
    elif figures.served_bytes >= original.served_bytes:
        yield f"is not smaller as it is served: {figures.served_bytes} bytes after {original.served_bytes}"


def time_reasons(figures: Figures, original: Figures, gate: Gate) -> Iterator[str]:
    """Those that lie in its times, which a busy machine may have made."""
    if not figures.slower <= max(gate.max_slower, 1 + gate.slower_ms / original.latency_ms):
        yield f"answers in {figures.slower:.2f} times the time, {gate.max_slower:g} allowed"
    if not figures.opens_slower <= max(gate.max_slower, 1 + gate.opens_slower_ms / original.open_ms):
        yield f"opens in {figures.opens_slower:.2f} times the time, {gate.max_slower:g} allowed"

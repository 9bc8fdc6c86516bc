"""What a candidate must be, to be published in place of the original."""

from collections.abc import Iterator
from dataclasses import dataclass

from coldpress_build.press.measure import Answers


@dataclass(frozen=True)
class Gate:
    """`max_loss` in points of the score on the held-out rows. A request may take `max_slower` times the
    original's time or `slower_ms` more, whichever allows more; opening `max_slower` times or
    `opens_slower_ms` more. `max_batch_difference` is that of a number asked for alone and in a batch."""

    max_loss: float = 0.5
    max_slower: float = 1.10
    slower_ms: float = 0.02
    opens_slower_ms: float = 1.0
    max_batch_difference: float = 1e-3


@dataclass(frozen=True)
class Figures:
    """What was measured of a candidate.

    `bytes` of the ONNX file; `served_bytes` of what a cold function fetches (see `serving.ServedForm`, whose
    other fields are `optimised` and `note`). Times are of that form on one thread, in milliseconds:
    `latency_ms` of one request with the smallest batch, `open_ms` of opening it; `slower` and `opens_slower`
    are those over the original's, as medians over rounds side by side.
    """

    bytes: int
    served_bytes: int
    optimised: bool
    note: str
    answers: Answers
    test_score: float | None
    latency_ms: float
    slower: float
    open_ms: float
    opens_slower: float


def reasons(figures: Figures, original: Figures, gate: Gate) -> tuple[str, ...]:
    """Why the candidate may not take the original's place; none when it may."""
    return (
        *_answer_reasons(figures.answers, original.answers, gate),
        *_cost_reasons(figures, original, gate),
    )


def _answer_reasons(given: Answers, wanted: Answers, gate: Gate) -> Iterator[str]:
    loss = wanted.score - given.score
    if not given.finite:
        yield "some of its numbers are not finite"
    # Scores are shares of rows: the rounding of their difference must not decide.
    if not loss <= gate.max_loss + 1e-9:
        after = f"{given.score:.2f} after {wanted.score:.2f}"
        yield f"loses {loss:.2f} points ({after}), {gate.max_loss:g} allowed"
    if given.batch_difference is not None and not given.batch_difference <= gate.max_batch_difference:
        yield f"answers {given.batch_difference:.2g} apart in a batch, {gate.max_batch_difference:g} allowed"
    if given.batch_flips > wanted.batch_flips:
        yield f"{given.batch_flips} rows change their class in a batch"


def _cost_reasons(figures: Figures, original: Figures, gate: Gate) -> Iterator[str]:
    if original.optimised and not figures.optimised:
        yield f"cannot be stored in the form that opens fastest: {figures.note}"
    if figures.bytes >= original.bytes:
        yield f"is not smaller: {figures.bytes} bytes after {original.bytes}"
    elif figures.served_bytes >= original.served_bytes:
        yield f"is not smaller as it is served: {figures.served_bytes} bytes after {original.served_bytes}"
    if not figures.slower <= max(gate.max_slower, 1 + gate.slower_ms / original.latency_ms):
        yield f"answers in {figures.slower:.2f} times the time, {gate.max_slower:g} allowed"
    if not figures.opens_slower <= max(gate.max_slower, 1 + gate.opens_slower_ms / original.open_ms):
        yield f"opens in {figures.opens_slower:.2f} times the time, {gate.max_slower:g} allowed"

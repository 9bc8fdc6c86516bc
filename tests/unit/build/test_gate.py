"""The gate: what a candidate must keep to, and the words for what it does not."""

from dataclasses import replace
from typing import Any

import pytest

from coldpress_build.press.confidence import Loss
from coldpress_build.press.gate import Figures, Gate, reasons
from coldpress_build.press.measure import Answers

NAN = float("nan")
GOOD = Figures(
    bytes=50,
    served_bytes=60,
    optimised=True,
    note="",
    answers=Answers(90.0, "accuracy", finite=True, batch_difference=1e-7, batch_flips=0),
    loss=Loss(0.0, -0.4, 0.4, spoiled=0, mended=0),
    test_score=None,
    latency_ms=1.0,
    slower=1.0,
    open_ms=10.0,
    opens_slower=1.0,
)
ORIGINAL = replace(GOOD, bytes=100, served_bytes=120)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({}, None),
        ({"loss": Loss(0.5, -0.1, 1.1, spoiled=5, mended=0)}, None),
        (
            {"answers": replace(GOOD.answers, score=89.49), "loss": Loss(0.51, -0.1, 1.1, 5, 0)},
            "loses 0.51 points (89.49 after 90.00), 0.5 allowed",
        ),
        (
            {"answers": replace(GOOD.answers, score=NAN), "loss": Loss(NAN, NAN, NAN, 0, 0)},
            "loses nan points (nan after 90.00), 0.5 allowed",
        ),
        ({"loss": Loss(0.1, -2.0, 2.0, spoiled=40, mended=39)}, None),
        (
            {"loss": Loss(0.1, -2.0, 2.01, spoiled=40, mended=39)},
            "may lose up to 2.01 points (95 % interval), 2 allowed; more held-out rows would narrow it",
        ),
        ({"answers": replace(GOOD.answers, finite=False)}, "some of its numbers are not finite"),
        ({"answers": replace(GOOD.answers, batch_difference=None)}, None),
        (
            {"answers": replace(GOOD.answers, batch_difference=0.01)},
            "answers 0.01 apart in a batch, 0.001 allowed",
        ),
        (
            {"answers": replace(GOOD.answers, batch_difference=float("nan"))},
            "answers nan apart in a batch, 0.001 allowed",
        ),
        ({"answers": replace(GOOD.answers, batch_flips=2)}, "2 rows change their class in a batch"),
        ({"bytes": 100}, "is not smaller: 100 bytes after 100"),
        ({"served_bytes": 121}, "is not smaller as it is served: 121 bytes after 120"),
        ({"slower": 1.1}, None),
        ({"slower": 1.11}, "answers in 1.11 times the time, 1.1 allowed"),
        ({"opens_slower": 1.11}, "opens in 1.11 times the time, 1.1 allowed"),
        ({"optimised": False, "note": "why"}, "cannot be stored in the form that opens fastest: why"),
    ],
)
def test_the_gate(change: dict[str, Any], reason: str | None) -> None:
    assert reasons(replace(GOOD, **change), ORIGINAL, Gate(), 1000) == (() if reason is None else (reason,))


def test_times_too_short_to_matter_do_not_fail_the_gate() -> None:
    quick = replace(ORIGINAL, latency_ms=0.05, open_ms=2.0)
    assert reasons(replace(GOOD, slower=1.4, opens_slower=1.5), quick, Gate(), 1000) == ()
    assert len(reasons(replace(GOOD, slower=1.41, opens_slower=1.51), quick, Gate(), 1000)) == 2

"""The interval of the points that a candidate loses, and the gate that reads it."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize_scalar

from coldpress_build.press.confidence import Loss, Z, lost, rows_needed, tango
from coldpress_build.press.gate import Figures, Gate, answer_reasons
from coldpress_build.press.heldout import HeldOut, Scoring
from coldpress_build.press.measure import Answers

CLASSES = Scoring("accuracy", "scores")


def names(values: str) -> NDArray[Any]:
    return np.array(list(values), object)


def test_rows_that_change_are_counted_both_ways() -> None:
    rows = HeldOut({}, names("aaaabbbb"))
    loss = lost(names("aaaabbba"), names("aabbbbbb"), rows, CLASSES)
    assert (loss.spoiled, loss.mended) == (2, 1)
    assert loss.points == pytest.approx(12.5)
    assert loss.low < 12.5 < loss.high


def test_a_candidate_that_is_better_loses_less_than_nothing() -> None:
    rows = HeldOut({}, names("ab" * 100))
    loss = lost(names("aa" * 100), names("ab" * 100), rows, CLASSES)
    assert (loss.points, loss.spoiled, loss.mended) == (-50.0, 0, 100)
    assert loss.high < -40


@pytest.mark.parametrize(("spoiled", "mended", "rows"), [(40, 20, 160), (3, 0, 50), (0, 7, 30), (1, 12, 900)])
def test_the_interval_ends_where_the_score_test_begins_to_reject(
    spoiled: int, mended: int, rows: int
) -> None:
    """Tango's closed form against the restricted likelihood, maximised numerically."""
    for end in tango(spoiled, mended, rows):

        def unlikely(q: float, delta: float = end) -> float:
            # q: probability of a mended row; q + delta that of a spoiled one.
            p = np.clip([q + delta, q, 1 - 2 * q - delta], 1e-12, 1)
            return -float(np.dot([spoiled, mended, rows - spoiled - mended], np.log(p)))

        best = minimize_scalar(unlikely, bounds=(max(0, -end), (1 - end) / 2), method="bounded").x
        spread = rows * (2 * best + end * (1 - end))
        assert abs(spoiled - mended - rows * end) / np.sqrt(spread) == pytest.approx(Z, abs=0.02)


def test_it_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(0)
    drawn = generator.multinomial(200, [0.03, 0.01, 0.96], 2000)
    inside = [low <= 0.02 <= high for low, high in (tango(int(b), int(c), 200) for b, c, _ in drawn)]
    assert 0.93 < np.mean(inside) < 0.98


def test_rows_needed_are_the_fewest_that_can_show_it() -> None:
    needed = rows_needed(2.0)
    assert needed == 189
    assert tango(0, 0, needed)[1] <= 0.02 < tango(0, 0, needed - 1)[1]


def test_values_are_compared_by_the_bootstrap() -> None:
    generator = np.random.default_rng(0)
    values = generator.normal(size=500)
    close, worse = values + generator.normal(size=500) * 0.1, values + generator.normal(size=500) * 0.3
    rows, scoring = HeldOut({}, values), Scoring("R²", "value")
    loss = lost(close, worse, rows, scoring)
    assert loss.points == pytest.approx(8.0, abs=1.5)
    assert loss.low < loss.points < loss.high
    assert loss.high - loss.low < 4
    same = lost(close, close, rows, scoring)
    assert (same.points, same.low, same.high) == (0.0, 0.0, 0.0)


def figures(loss: Loss | None) -> Figures:
    answers = Answers(90.0, "accuracy", finite=True, batch_difference=0.0, batch_flips=0)
    return Figures(50, 60, True, "", answers, loss, None, 1.0, 1.0, 1.0, 1.0)


@pytest.mark.parametrize(
    ("rows", "spoiled", "mended", "reason"),
    [
        (40, 0, 3, ""),
        (
            188,
            1,
            9,
            "answers 1 rows wrong that the original answers right; 188 rows are too few to weigh that",
        ),
        (189, 0, 0, ""),
        (1000, 5, 2, ""),
        (1000, 90, 88, "may lose up to 2.83 points (95 % interval), 2 allowed"),
    ],
)
def test_few_rows_are_read_strictly(rows: int, spoiled: int, mended: int, reason: str) -> None:
    low, high = tango(spoiled, mended, rows)
    loss = Loss(100 * (spoiled - mended) / rows, 100 * low, 100 * high, spoiled, mended)
    found = tuple(answer_reasons(figures(loss), figures(None), Gate(), rows))
    assert len(found) == bool(reason)
    assert "".join(found).startswith(reason)


def test_numbers_that_are_not_finite_are_told_even_without_a_loss() -> None:
    broken = replace(figures(None), answers=replace(figures(None).answers, finite=False))
    assert tuple(answer_reasons(broken, figures(None), Gate(), 10)) == ("some of its numbers are not finite",)

"""The figures of a model, their intervals and its slices."""

import json
from math import nan

import numpy as np
import pytest
from scipy.stats import bootstrap as scipy_bootstrap
from sklearn.metrics import average_precision_score, log_loss, roc_auc_score

from coldpress_build.errors import ConfigurationError
from coldpress_build.evaluation.calibration import calibration
from coldpress_build.evaluation.classes import ClassScores, _statistic, probabilities
from coldpress_build.evaluation.evaluate import Evaluation, evaluate
from coldpress_build.evaluation.interval import Estimate, bootstrap, resamples, wilson
from coldpress_build.evaluation.ranking import weighted_ranking
from coldpress_build.evaluation.slices import check_slices
from coldpress_build.report.json_text import to_json


def guesses(rows: int = 400, classes: int = 3) -> tuple[np.ndarray, np.ndarray]:
    """Class indices, and scores that know something of them. Rounded, so that some are equal."""
    generator = np.random.default_rng(7)
    target = generator.integers(0, classes, rows)
    raw = generator.normal(size=(rows, classes)).round(1)
    raw[np.arange(rows), target] += 1
    scores = np.exp(raw)
    return target, scores / scores.sum(1, keepdims=True)


def test_figures_of_a_confusion() -> None:
    # a: 3 rows, 2 found; b: 2 rows, both found, one more called so; c: never true, never answered.
    found = evaluate([0, 0, 0, 1, 1], [0, 0, 1, 1, 1], ["a", "b", "c"])
    assert found.values() == {
        "accuracy": 0.8,
        "precision": pytest.approx((1 + 2 / 3 + 0) / 3),
        "recall": pytest.approx((2 / 3 + 1 + 0) / 3),
        "f1": pytest.approx((0.8 + 0.8 + 0) / 3),
    }
    assert found.classes == (
        ClassScores("a", 1.0, pytest.approx(2 / 3), pytest.approx(0.8), 3),
        ClassScores("b", pytest.approx(2 / 3), 1.0, pytest.approx(0.8), 2),
        ClassScores("c", 0.0, 0.0, 0.0, 0),
    )
    assert found.confusion == ((2, 1, 0), (0, 2, 0), (0, 0, 0))
    assert (found.main, found.rows, found.calibration, found.rankings) == ("accuracy", 5, None, ())


@pytest.mark.parametrize("classes", [2, 3])
def test_figures_of_scores_are_scikit_learns(classes: int) -> None:
    target, scores = guesses(classes=classes)
    names = list("abc"[:classes])
    found = evaluate(target, scores.argmax(1), names, scores=scores)
    ranked = scores[:, 1] if classes == 2 else scores
    assert found.metrics["roc_auc"].value == pytest.approx(
        roc_auc_score(target, ranked, multi_class="ovr"), abs=1e-6
    )
    assert found.metrics["average_precision"].value == pytest.approx(
        average_precision_score(target, ranked), abs=1e-6
    )
    assert found.metrics["log_loss"].value == pytest.approx(log_loss(target, scores), abs=1e-5)
    squares = ((scores - np.eye(classes)[target]) ** 2).sum(1).mean()
    assert found.metrics["brier"].value == pytest.approx(squares / 2 if classes == 2 else squares, abs=1e-5)
    assert [one.name for one in found.rankings] == (["b"] if classes == 2 else ["a", "b", "c"])
    curve = found.rankings[0]
    assert (curve.false_positives[0], curve.true_positives[0]) == (0, 0)
    assert (curve.false_positives[-1], curve.true_positives[-1]) == (1, 1)


@pytest.mark.parametrize("classes", [2, 3])
def test_the_resampled_figures_are_the_figures(classes: int) -> None:
    target, scores = guesses(classes=classes)
    names = list("abc"[:classes])
    statistic = _statistic(target, scores.argmax(1), classes, scores, scores)
    drawn = np.random.default_rng(0).integers(0, len(target), len(target))
    weights = np.bincount(drawn, minlength=len(target)).astype(float)
    whole, resampled = statistic(np.stack([np.ones(len(target)), weights]))
    for rows, figures in ((np.arange(len(target)), whole), (drawn, resampled)):
        expected = evaluate(target[rows], scores[rows].argmax(1), names, scores=scores[rows]).values()
        assert figures == pytest.approx(list(expected.values())[1:])


def test_an_interval_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(1)
    covered = 0
    for _ in range(100):
        target = generator.integers(0, 2, 150)
        predicted = np.where(generator.random(150) < 0.8, target, 1 - target)
        recall = evaluate(target, predicted, ["a", "b"]).metrics["recall"]
        covered += recall.low <= 0.8 <= recall.high
    assert 88 <= covered <= 100


def test_the_bootstrap_agrees_with_scipys() -> None:
    values = np.random.default_rng(2).exponential(size=200)
    low, high = bootstrap(lambda weights: (weights @ values / 200)[:, None], 200)
    other = scipy_bootstrap((values,), np.mean, method="percentile", rng=3).confidence_interval
    assert (low[0], high[0]) == pytest.approx((other.low, other.high), rel=0.03)


def test_a_figure_that_no_resample_has_has_no_interval() -> None:
    low, high = bootstrap(lambda weights: np.full((len(weights), 1), np.nan), 20)
    assert np.isnan([*low, *high]).tolist() == [True, True]


def test_wilsons_interval() -> None:
    # R. G. Newcombe, 1998, table I: 81 of 263, and 0 of 20.
    assert wilson(81, 263) == Estimate(
        81 / 263, pytest.approx(0.2553, abs=1e-4), pytest.approx(0.3662, abs=1e-4)
    )
    assert wilson(0, 20) == Estimate(0, 0, pytest.approx(0.1611, abs=1e-4))
    assert np.isnan(wilson(0, 0).value)


def test_intervals_are_the_same_each_time_and_bounded_in_work() -> None:
    target, scores = guesses()
    first, second = (evaluate(target, scores.argmax(1), "abc", scores=scores) for _ in range(2))
    assert first == second
    assert (resamples(1000), resamples(1_000_000), resamples(10**9)) == (1000, 100, 100)
    assert "1,000 resamples, seed 0" in first.intervals


def test_a_class_that_is_not_in_the_rows_is_not_ranked() -> None:
    target, scores = guesses(classes=3)
    rows = target != 2
    found = evaluate(target[rows], scores[rows].argmax(1), "abc", scores=scores[rows])
    assert [one.name for one in found.rankings] == ["a", "b"]
    assert np.isfinite(found.metrics["roc_auc"].low)


def test_few_rows_may_leave_a_resample_with_one_class_only() -> None:
    target, scores = np.array([0, 1, 1]), np.array([[0.9, 0.1], [0.2, 0.8], [0.4, 0.6]])
    found = evaluate(target, scores.argmax(1), "ab", scores=scores)
    assert found.metrics["roc_auc"].value == 1.0


def test_equal_scores_rank_as_chance_does() -> None:
    area, precision = weighted_ranking(np.array([True, False, False]), np.zeros(3))(np.ones((1, 3)))
    assert (area[0], precision[0]) == (0.5, pytest.approx(1 / 3))


def test_scores_that_are_no_probabilities_are_left_aside() -> None:
    target, scores = guesses()
    assert probabilities(np.log(scores)) is None
    assert probabilities(np.array([[nan, 1.0]])) is None
    found = evaluate(target, scores.argmax(1), "abc", scores=np.log(scores))
    assert "roc_auc" not in found.metrics
    assert found.calibration is None
    # int8 weights leave sums a little off
    off = probabilities(np.array([[0.2, 0.805], [0.5, 0.5]]))
    assert off is not None
    assert off.sum(1) == pytest.approx([1, 1])


def test_calibration_tells_too_sure_from_sure() -> None:
    generator = np.random.default_rng(3)
    sure = generator.uniform(0.5, 1, 4000)
    target = (generator.random(4000) > sure).astype(int)  # class 0 as often as its score says
    honest = calibration(target, np.stack([sure, 1 - sure], 1))
    boast = sure + (1 - sure) * 0.8
    boastful = calibration(target, np.stack([boast, 1 - boast], 1))
    assert honest.error < 0.04 < 0.15 < boastful.error
    for found in (honest, boastful):
        gaps = [one.rows * abs(one.confidence - one.right.value) for one in found.bins]
        assert sum(one.rows for one in found.bins) == 4000
        assert found.error == pytest.approx(sum(gaps) / 4000, abs=1e-5)


def test_a_score_of_one_is_in_the_last_bin() -> None:
    (one,) = calibration(np.array([0, 0, 1, 1]), np.array([[1.0, 0.0]] * 3 + [[0.0, 1.0]])).bins
    assert (one.rows, one.confidence, one.right.value) == (4, pytest.approx(1), 0.75)


def test_figures_of_values() -> None:
    found = evaluate([1.0, 2.0, 3.0, 6.0], [1.0, 2.0, 5.0, 5.0], ())
    assert found.values() == {
        "r2": pytest.approx(1 - 5 / 14),
        "mae": 0.75,
        "rmse": pytest.approx(np.sqrt(5 / 4)),
        "median_absolute_error": 0.5,
    }
    assert (found.task, found.main, found.slice_metric) == ("regression", "r2", "mae")
    assert found.pairs is not None
    assert found.pairs.predicted == (1.0, 2.0, 5.0, 5.0)


def test_intervals_of_values_surround_them() -> None:
    generator = np.random.default_rng(6)
    target = generator.normal(size=1201)
    found = evaluate(target, target + generator.normal(size=1201) * 0.5, ())
    for name, truth in {"r2": 0.75, "mae": 0.399, "rmse": 0.5, "median_absolute_error": 0.337}.items():
        figure = found.metrics[name]
        assert figure.low < truth < figure.high
        assert figure.low < figure.value < figure.high
        assert figure.high - figure.low < 0.1
    assert found.pairs is not None
    assert len(found.pairs.true) == 500
    assert list(found.pairs.true) == sorted(found.pairs.true)


def test_another_model_is_compared_row_by_row() -> None:
    target, scores = guesses(1000, 2)
    ours = scores.argmax(1)
    worse = ours.copy()
    worse[:100] = 1 - target[:100]
    against = evaluate(target, ours, "ab", baseline=("simple", worse)).against
    assert against is not None
    assert against.name == "simple"
    assert against.value == pytest.approx((worse == target).mean())
    assert against.difference.value == pytest.approx((ours == target).mean() - against.value)
    assert 0 < against.difference.low < against.difference.value < against.difference.high
    same = evaluate(target, ours, "ab", baseline=("same", ours)).against
    assert same is not None
    assert same.difference == Estimate(0, 0, 0)


def test_another_model_of_values_is_compared_by_r2() -> None:
    generator = np.random.default_rng(5)
    target = generator.normal(size=300)
    ours, theirs = target + generator.normal(size=300) * 0.3, target + generator.normal(size=300) * 0.6
    found = evaluate(target, ours, (), baseline=("simple", theirs))
    assert found.against is not None
    assert found.against.value == pytest.approx(evaluate(target, theirs, ()).score.value)
    assert found.against.difference.value == pytest.approx(found.score.value - found.against.value)
    assert found.against.difference.low > 0


def test_slices_say_where_it_is_worse() -> None:
    target = np.tile([0, 1], 100)
    place = np.array(["north"] * 100 + ["south"] * 80 + ["east"] * 20, object)
    predicted = target.copy()
    predicted[100:140] = 1 - predicted[100:140]
    found = evaluate(target, predicted, "ab", slice_by={"place": place}, baseline=("x", target)).slices
    assert [(one.column, one.value, one.rows, one.metric.value) for one in found] == [
        ("place", "east", 20, 1.0),
        ("place", "north", 100, 1.0),
        ("place", "south", 80, 0.5),
    ]
    assert [(one.few, one.differs, one.baseline) for one in found] == [
        (True, True, 1.0),
        (False, True, 1.0),
        (False, True, 1.0),
    ]
    assert found[2].metric == wilson(40, 80)


def test_slices_of_numbers_are_quarters() -> None:
    age = np.arange(100.0)
    age[99] = nan
    target = np.arange(100.0)
    found = evaluate(target, target + (np.arange(100) >= 75), (), slice_by={"age": age}).slices
    assert [(one.value, one.rows) for one in found] == [
        ("0 to 24", 25),
        ("25 to 49", 25),
        ("50 to 73", 24),
        ("74 to 98", 25),
        ("not a number", 1),
    ]
    assert [one.metric.value for one in found] == [0, 0, 0, pytest.approx(24 / 25), 1]


def test_rare_values_are_one_slice() -> None:
    city = np.array([f"c{n}" for n in range(20)] * 3 + [f"rare{n}" for n in range(5)], object)
    target = np.zeros(65, int)
    found = evaluate(target, target, "ab", slice_by={"city": city}).slices
    assert (len(found), found[-1].value, found[-1].rows) == (21, "5 other values", 5)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("town", "there is no column 'town' to slice by; the columns are city, text, pixels"),
        ("text", "'text' has 50 different values in 50 rows"),
        ("pixels", r"'pixels' holds \[2, 2\] numbers a row"),
    ],
)
def test_a_column_that_does_not_slice_is_refused(name: str, message: str) -> None:
    columns = {
        "city": np.array(["a", "b"] * 25, object),
        "text": np.array([f"row {n}" for n in range(50)], object),
        "pixels": np.zeros((50, 2, 2)),
    }
    check_slices(["city"], columns)
    with pytest.raises(ConfigurationError, match=message):
        check_slices([name], columns)


def test_an_evaluation_is_json() -> None:
    target, scores = guesses(40)
    found = evaluate(target, scores.argmax(1), "abc", scores=scores, slice_by={"x": target})
    plain = json.loads(to_json(found))
    assert plain["metrics"]["accuracy"]["value"] == found.accuracy
    assert plain["main"] == "accuracy"
    assert list(found.metadata().items()) == [
        ("accuracy", found.accuracy),
        ("accuracy_low", found.score.low),
        ("accuracy_high", found.score.high),
    ]
    assert isinstance(found, Evaluation)

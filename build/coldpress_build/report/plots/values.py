"""What a regressor answers: true against predicted, and what is left over."""

from coldpress_build.evaluation.evaluate import Evaluation
from coldpress_build.evaluation.values import Pairs
from coldpress_build.report.drawing import BLUE, SOFT, Plot


def predictions(evaluation: Evaluation, found: Pairs) -> Plot:
    """One dot a row; on the line all would be right."""
    plot = Plot(
        "True and predicted",
        f"True against predicted values of {len(found.true)} test rows; R² {evaluation.score.value:.4f}.",
    )
    low, high = min(*found.true, *found.predicted), max(*found.true, *found.predicted)
    plot.axes.plot([low, high], [low, high], color=SOFT, linewidth=1, linestyle=":")
    plot.axes.scatter(found.true, found.predicted, s=14, color=BLUE, alpha=0.5, linewidths=0)
    plot.axes.set(xlabel="true", ylabel="predicted")
    return plot


def residuals(found: Pairs) -> Plot:
    """Errors against what was predicted: a bend or a funnel says what the model does not see."""
    errors = [given - true for true, given in zip(found.true, found.predicted, strict=True)]
    plot = Plot("Residuals", f"Predicted minus true value of {len(errors)} test rows.")
    plot.axes.axhline(0, color=SOFT, linewidth=1, linestyle=":")
    plot.axes.scatter(found.predicted, errors, s=14, color=BLUE, alpha=0.5, linewidths=0)
    plot.axes.set(xlabel="predicted", ylabel="predicted - true")
    return plot

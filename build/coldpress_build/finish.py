"""The published file: the winner with its own figures inside, and what that very file answers."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
import onnx

from coldpress_build.data.dataset import Array
from coldpress_build.errors import BuildError
from coldpress_build.evaluation.evaluate import Evaluation, evaluate
from coldpress_build.export import with_metadata
from coldpress_build.files import write_atomic
from coldpress_build.press.heldout import HeldOut
from coldpress_build.press.measure import BATCH, ask
from coldpress_build.press.press import Pressed
from coldpress_build.result import Learned
from coldpress_build.serving import ServedModel


def finish(
    learned: Learned,
    test: HeldOut,
    pressed: Pressed,
    winner: Path,
    target: Path,
    slice_by: Mapping[str, Array],
) -> Evaluation:
    """Write the file `winner` to `target`, with its figures as metadata `coldpress.metrics`.

    Those are `Evaluation.metadata` and the baseline's main figure as `baseline_{name}`.

    Returns:
        What the winner does on the test part.

    Raises:
        BuildError: it is not as good as was measured in the press, or the file that was written answers
            otherwise.
    """
    answers = ask(ServedModel.open(winner), test, BATCH)
    evaluation = _evaluated(learned, answers, slice_by)
    found, measured = evaluation.score.value, (pressed.best.test_score or 0.0) / 100
    if not abs(found - measured) <= 1e-6:
        raise BuildError(
            f"the {evaluation.main} of the file that won the press is {found:.4f} on the test rows and was "
            f"{measured:.4f} when it was measured; they must be one model"
        )
    metrics = evaluation.metadata() | {f"baseline_{evaluation.main}": learned.baseline.test}
    written = with_metadata(onnx.load(winner), {"coldpress.metrics": metrics})
    write_atomic(target, written.SerializeToString())
    again = ask(ServedModel.open(target), test, BATCH)
    for name, values in answers.items():
        if not np.array_equal(values, again[name]):
            raise BuildError(
                f"the finished file's {name} on the test rows are not those of the candidate that won the "
                "press; they must be one model"
            )
    return evaluation


def _evaluated(learned: Learned, answers: Mapping[str, Array], slice_by: Mapping[str, Array]) -> Evaluation:
    rows, classes = learned.parts.test, learned.data.classes
    baseline = (learned.baseline.name, learned.baseline.answers)
    if not classes:
        return evaluate(rows.target, answers["value"], (), slice_by=slice_by, baseline=baseline)
    given = np.array([classes.index(label) for label in answers["label"].tolist()])
    return evaluate(
        rows.target, given, classes, scores=answers["scores"], slice_by=slice_by, baseline=baseline
    )

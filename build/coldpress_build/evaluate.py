"""The old place of `coldpress_build.evaluation`."""

from coldpress_build.evaluation.classes import ClassScores
from coldpress_build.evaluation.evaluate import Evaluation, evaluate

__all__ = ["ClassScores", "Evaluation", "evaluate"]

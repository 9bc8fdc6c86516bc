"""Losses and metrics, row by row: a sum over rows is the same however processes divide them."""

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy, mse_loss

from coldpress_build.errors import ConfigurationError
from coldpress_build.training.settings import Training

NEEDS = {"cross-entropy": "a target of classes", "bce": "two classes", "mse": "a target of values"}


@dataclass(frozen=True)
class Loss:
    """What is made small. `weights` [classes] are mean 1 over the training rows, or None."""

    kind: str
    weights: Tensor | None

    @classmethod
    def of(cls, how: Training, classes: int, target: Tensor) -> "Loss":
        """The loss that fits the task; `classes` is 0 for values, `target` [rows] that of the training rows.

        Raises:
            ConfigurationError: the loss that is asked for is for another task.
        """
        kind = how.loss if how.loss != "auto" else ("cross-entropy" if classes else "mse")
        if kind not in (
            ("cross-entropy", "bce") if classes == 2 else ("cross-entropy",) if classes else ("mse",)
        ):
            found = f"{classes} classes" if classes else "values"
            raise ConfigurationError(
                f"loss={kind} needs {NEEDS[kind]}; the target has {found}: use loss=auto"
            )
        if how.class_weights == "none":
            return cls(kind, None)
        if not classes:
            raise ConfigurationError(
                "class_weights=balanced needs a target of classes; use class_weights=none"
            )
        counts = torch.bincount(target.long(), minlength=classes)
        return cls(kind, len(target) / (classes * counts.clamp(min=1)).float())

    def rows(self, answer: Tensor, target: Tensor) -> Tensor:
        """The loss of each row [rows], in float32.

        `answer` is logits [rows, classes], values [rows], or, for bce, one logit a row too.
        """
        answer = answer.float()
        if self.kind == "cross-entropy":
            found = cross_entropy(answer, target, reduction="none")
        elif self.kind == "bce":
            found = binary_cross_entropy_with_logits(_logit(answer), target.float(), reduction="none")
        else:
            found = mse_loss(answer, target.float(), reduction="none")
        return found if self.weights is None else found * self.weights.to(found.device)[target]

    def figures(self, answer: Tensor, target: Tensor) -> dict[str, Tensor]:
        """What `metrics` needs the sums of, row by row [rows], in float64."""
        answer = answer.float()
        if self.kind == "mse":
            values = target.double()
            return {"error": (answer.double() - values).square(), "value": values, "square": values.square()}
        right = (_logit(answer) > 0).long() if _single(answer) else answer.argmax(1)
        return {"right": (right == target).double()}

    def metrics(self, means: Mapping[str, float]) -> dict[str, float]:
        """From the means of `figures` over all rows: accuracy, or R²."""
        if self.kind != "mse":
            return {"accuracy": means["right"]}
        variance = means["square"] - means["value"] ** 2
        return {"R²": 1 - means["error"] / variance if variance > 0 else 0.0}


def _single(answer: Tensor) -> bool:
    return answer.ndim == 1 or answer.shape[1] == 1


def _logit(answer: Tensor) -> Tensor:
    """One logit a row of the second class: of two logits it is their difference."""
    if _single(answer):
        return answer.reshape(-1)
    return answer[:, 1] - answer[:, 0]

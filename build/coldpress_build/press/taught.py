"""Learning from a teacher: the answers of the network that was trained, beside the true ones."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import mse_loss

from coldpress_build.data.batches import Batches
from coldpress_build.training.losses import Loss

ROWS = 256


@dataclass(frozen=True)
class Taught(Loss):
    """`soft` of the loss is how far the answer is from the teacher's, the rest how far from the truth.

    Targets are [rows, 1 + answers]: the true one, then what the teacher answers. The soft part is the
    divergence of the two answers, each divided by `temperature`, times its square, so that gradients keep
    their size (G. Hinton, O. Vinyals, J. Dean: Distilling the Knowledge in a Neural Network, 2015); for
    values their squared difference.
    """

    temperature: float
    soft: float

    def rows(self, answer: Tensor, target: Tensor) -> Tensor:
        """The loss of each row [rows], in float32."""
        hard = super().rows(answer, self._true(target))
        return (1 - self.soft) * hard + self.soft * self._distance(answer.float(), target[:, 1:])

    def figures(self, answer: Tensor, target: Tensor) -> dict[str, Tensor]:
        """Against the truth alone."""
        return super().figures(answer, self._true(target))

    def _true(self, target: Tensor) -> Tensor:
        return target[:, 0] if self.kind == "mse" else target[:, 0].long()

    def _distance(self, answer: Tensor, teacher: Tensor) -> Tensor:
        if self.kind == "mse":
            return mse_loss(answer, teacher[:, 0], reduction="none")
        given = (_logits(answer) / self.temperature).log_softmax(1)
        wanted = (_logits(teacher) / self.temperature).log_softmax(1)
        return (wanted.exp() * (wanted - given)).sum(1) * self.temperature**2


def with_teacher(batches: Batches, teacher: nn.Module) -> Batches:
    """The same rows, with targets as `Taught` reads them."""
    with torch.inference_mode():
        answers = torch.cat([teacher.eval()(*inputs) for inputs, _ in batches.loader(ROWS)])
    columns = batches.target.float()[:, None], answers.float().reshape(len(answers), -1)
    return Batches(batches.inputs, torch.cat(columns, 1).clone(), batches.lengths)


def _logits(answer: Tensor) -> Tensor:
    """One logit is that of the second class against 0."""
    if answer.ndim == 2 and answer.shape[1] > 1:
        return answer
    only = answer.reshape(-1, 1)
    return torch.cat([torch.zeros_like(only), only], 1)

"""The network of the recipes for tables: numbers and embedded categories -> hidden layers -> an answer."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from coldpress_build.recipes.features import UNKNOWN, Features

WIDEST_EMBEDDING = 16


class Perceptron(nn.Module):
    """Numbers [batch, n] with NaN for missing ones, and codes [batch, categories] -> logits or values.

    With two classes the last layer has one unit, the logit of the second against 0: what a sigmoid and binary
    cross-entropy would make of it is what softmax and cross-entropy make of the two.
    """

    def __init__(
        self, features: Features, hidden: Sequence[int], classes: int, dropout: float, hide: float
    ) -> None:
        super().__init__()
        self.medians: Tensor
        self.means: Tensor
        self.spreads: Tensor
        self.gaps: Tensor
        self.has_numbers = bool(features.numbers)
        self.classes = classes
        self.hide = hide
        for name in ("medians", "means", "spreads"):
            self.register_buffer(name, torch.from_numpy(getattr(features, name)))
        self.register_buffer("gaps", torch.tensor(features.gaps, dtype=torch.int64))
        sizes = [len(known) + UNKNOWN + 1 for known in features.categories.values()]
        dimensions = [min(WIDEST_EMBEDDING, (size + 1) // 2) for size in sizes]
        self.embeddings = nn.ModuleList(map(nn.Embedding, sizes, dimensions))
        width = len(features.medians) + len(features.gaps) + sum(dimensions)
        layers: list[nn.Module] = []
        for size in hidden:
            layers += [nn.Linear(width, size), nn.ReLU(), nn.Dropout(dropout)]
            width = size
        self.layers = nn.Sequential(*layers, nn.Linear(width, classes if classes > 2 else 1))

    def forward(self, *inputs: Tensor) -> Tensor:
        """Numbers are normalised and missing ones filled in here, so that the graph has it."""
        parts = [*self._numbers(inputs[0])] if self.has_numbers else []
        if self.embeddings:
            codes = inputs[-1]
            if self.training:
                # A category that was never seen must mean something.
                codes = torch.where(torch.rand(codes.shape, device=codes.device) < self.hide, UNKNOWN, codes)
            parts += [embed(codes[:, place]) for place, embed in enumerate(self.embeddings)]
        answer: Tensor = self.layers(torch.cat(parts, 1))
        if not self.classes:
            return answer.squeeze(1)
        return answer if self.classes > 2 else torch.cat([torch.zeros_like(answer), answer], 1)

    def _numbers(self, numbers: Tensor) -> tuple[Tensor, ...]:
        missing = numbers.isnan()
        filled = (torch.where(missing, self.medians, numbers) - self.means) / self.spreads
        return (filled, missing[:, self.gaps].float()) if len(self.gaps) else (filled,)

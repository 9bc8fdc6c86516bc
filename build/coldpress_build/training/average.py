"""A moving average of the weights, which is validated and kept in place of the weights themselves."""

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.optim.swa_utils import get_ema_multi_avg_fn


class Average:
    """Of every weight and buffer, after each step: `decay` of the average and the rest of the new value.

    Of a network that several processes share, each averages its share. decay 0: no average.
    """

    def __init__(self, network: nn.Module, decay: float) -> None:
        self.decay = decay
        self.steps = 0
        self._now = tensors(network) if decay else {}
        self.kept = {name: tensor.clone() for name, tensor in self._now.items()}
        floats = [name for name, tensor in self._now.items() if tensor.is_floating_point()]
        self._mixed = [self.kept[name] for name in floats], [self._now[name] for name in floats]
        self._copied = [(self.kept[name], self._now[name]) for name in self._now if name not in floats]
        self._mix = get_ema_multi_avg_fn(decay)  # type: ignore[no-untyped-call]

    @torch.no_grad()
    def update(self) -> None:
        """After a step. The first one is where the average begins."""
        averages, values = self._mixed
        if self.steps and averages:
            self._mix(averages, values, self.steps)
        else:
            for average, value in zip(averages, values, strict=True):
                average.copy_(value)
        for kept, now in self._copied:
            kept.copy_(now)
        self.steps += 1

    @contextmanager
    def applied(self) -> Iterator[None]:
        """The network has the averaged weights inside the block."""
        self._swap()
        try:
            yield
        finally:
            self._swap()

    @torch.no_grad()
    def _swap(self) -> None:
        for name, tensor in self._now.items():
            kept = tensor.clone()
            tensor.copy_(self.kept[name])
            self.kept[name].copy_(kept)


def tensors(network: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers as this process holds them: of a divided weight, its share."""
    return {
        name: value.to_local() if isinstance(value, DTensor) else value.detach()
        for name, value in network.state_dict().items()
    }

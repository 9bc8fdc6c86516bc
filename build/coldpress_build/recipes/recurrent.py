"""Recurrent layers over sequences of different lengths, filled up at the end."""

import torch
from torch import Tensor, nn

KINDS = {"rnn": nn.RNN, "gru": nn.GRU, "lstm": nn.LSTM}


class Recurrent(nn.Module):
    """Sequences [batch, time, channels] and lengths [batch] -> logits [batch, classes].

    What stands behind a sequence's length changes nothing: the forward layer has not read it yet when it gets
    to the last step, the backward one reads the sequence turned round within its length, and the mean and the
    largest are over the sequence's own steps.
    """

    def __init__(
        self,
        kind: str,
        middle: Tensor,
        spread: Tensor,
        width: int,
        layers: int,
        classes: int,
        dropout: float,
        *,
        both: bool,
    ) -> None:
        super().__init__()
        self.middle: Tensor
        self.spread: Tensor
        self.register_buffer("middle", middle)
        self.register_buffer("spread", spread)
        self.kind = kind
        directions = 2 if both else 1
        sizes = [len(middle), *[width * directions] * (layers - 1)]
        self.forwards = nn.ModuleList(KINDS[kind](size, width, batch_first=True) for size in sizes)
        self.backwards = nn.ModuleList(
            KINDS[kind](size, width, batch_first=True) for size in (sizes if both else [])
        )
        self.dropout = nn.Dropout(dropout)
        self.classify = nn.Linear(2 * width * directions, classes)

    def forward(self, sequence: Tensor, length: Tensor) -> Tensor:
        """A length below 1 counts as 1, one beyond the time as all of it."""
        length = length.clamp(min=1).minimum(torch.full_like(length, 1) * sequence.shape[1])
        steps = torch.arange(sequence.shape[1], device=sequence.device)
        own = steps < length[:, None]
        # Turned round within each length; what stands behind it stays where it is.
        turned = torch.where(own, length[:, None] - 1 - steps, steps)
        value = (sequence - self.middle) / self.spread
        for place, forwards in enumerate(self.forwards):
            value = self.dropout(value) if place else value
            found = [self._run(forwards, value)]
            if self.backwards:
                found.append(_by(self._run(self.backwards[place], _by(value, turned)), turned))
            value = torch.cat(found, 2)
        mask = own[:, :, None]
        mean = torch.where(mask, value, 0.0).sum(1) / length[:, None]
        # Every step's value is above -1: the outputs of all three kinds are products of tanh.
        largest = torch.where(mask, value, -1.0).amax(1)
        logits: Tensor = self.classify(self.dropout(torch.cat([mean, largest], 1)))
        return logits

    def _run(self, layer: nn.Module, value: Tensor) -> Tensor:
        if self.kind == "rnn" and torch.compiler.is_exporting():
            return _onnx_rnn(layer, value)
        found: Tensor = layer(value)[0]
        return found


def _by(value: Tensor, order: Tensor) -> Tensor:
    """The steps of each row in that order."""
    return value.gather(1, order[:, :, None].expand(-1, -1, value.shape[2]))


def _onnx_rnn(layer: nn.Module, value: Tensor) -> Tensor:
    """ONNX's RNN, which torch's exporter does not know: it would write out each step of one length.

    Its X is [time, batch, channels], its Y [time, 1, batch, width].
    """
    weights = dict(layer.named_parameters())
    width = weights["weight_hh_l0"].shape[0]
    bias = torch.cat([weights["bias_ih_l0"], weights["bias_hh_l0"]])
    inputs = (value.transpose(0, 1), weights["weight_ih_l0"][None], weights["weight_hh_l0"][None], bias[None])
    found = torch.onnx.ops.symbolic(
        "RNN",
        inputs,
        {"hidden_size": width},
        dtype=value.dtype,
        shape=(value.shape[1], 1, value.shape[0], width),
        version=20,
    )
    return found[:, 0].transpose(0, 1)

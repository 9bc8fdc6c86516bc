"""Fitting a network to the rounding that 8-bit layers will do (quantization-aware fine-tuning)."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d)
WEIGHT_STEPS = 64
"""On each side of 0: weights take 7 bits, see `static.int8_static`."""
ACTIVATION_STEPS = 255
MEMORY = 0.9
"""Of the ranges that were seen before, for each batch."""
FINEST = 1e-8


class _Weight(nn.Module):
    """Rounded by output channel, as it will be stored; the gradient passes as if it were not."""

    def forward(self, weight: Tensor) -> Tensor:
        scale = (weight.detach().abs().flatten(1).amax(1) / WEIGHT_STEPS).clamp(min=FINEST)
        zero = torch.zeros(len(scale), dtype=torch.int32, device=weight.device)
        return torch.fake_quantize_per_channel_affine(weight, scale, zero, 0, -WEIGHT_STEPS, WEIGHT_STEPS)


class _Activation(nn.Module):
    """Rounded within the range that was seen while training."""

    low: Tensor
    high: Tensor

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("low", torch.tensor(torch.inf))
        self.register_buffer("high", torch.tensor(-torch.inf))

    def forward(self, values: Tensor) -> Tensor:
        if self.training:
            low, high = (end.detach().float() for end in values.aminmax())
            first = not torch.isfinite(self.low)
            self.low.copy_(low if first else MEMORY * self.low + (1 - MEMORY) * low)
            self.high.copy_(high if first else MEMORY * self.high + (1 - MEMORY) * high)
        if not torch.isfinite(self.low):
            return values
        low, high = self.low.clamp(max=0), self.high.clamp(min=0)
        scale = ((high - low) / ACTIVATION_STEPS).clamp(min=FINEST)
        zero = (-low / scale).round().clamp(0, ACTIVATION_STEPS).to(torch.int32)
        return torch.fake_quantize_per_tensor_affine(values, scale, zero, 0, ACTIVATION_STEPS)


def rounded(network: nn.Module) -> nn.Module:
    """A copy whose dense and convolutional layers round weights and inputs, while training and after."""
    copied = copy.deepcopy(network).cpu()
    for layer in _layers(copied):
        parametrize.register_parametrization(layer, "weight", _Weight())
        layer.add_module("rounding", _Activation())
        layer.register_forward_pre_hook(_round_input)
    return copied


def unrounded(network: nn.Module) -> nn.Module:
    """The network of `rounded` as an ordinary one, with its weights as they were rounded last."""
    for layer in _layers(network):
        parametrize.remove_parametrizations(layer, "weight", leave_parametrized=True)
        del layer._modules["rounding"]
        layer._forward_pre_hooks.clear()
    return network


def _round_input(layer: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    rounding: nn.Module = layer.get_submodule("rounding")
    return (rounding(inputs[0]), *inputs[1:])


def _layers(network: nn.Module) -> list[nn.Module]:
    return [module for module in network.modules() if isinstance(module, LAYERS)]

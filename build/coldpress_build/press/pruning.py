"""Less of a network: units that matter least are removed, or single weights set to 0."""

import copy

import torch
from torch import Tensor, nn
from torch.nn.utils import prune

from coldpress_build.quiet import quiet

LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def without_units(network: nn.Module, inputs: tuple[Tensor, ...], keep: float) -> nn.Module:
    """A copy with about `keep` of the units of each hidden layer: matrices with fewer rows and columns.

    By torch-pruning, which traces what depends on what: a unit goes with its bias, its normalisation and all
    that reads it. Those go whose weights have the smallest sum of magnitudes.

    Raises:
        ValueError: nothing in it can be removed, or it then answers in another shape.
    """
    import torch_pruning

    smaller = copy.deepcopy(network).cpu().eval()
    before, shape = _parameters(smaller), _shape(smaller, inputs)
    with quiet():  # it warns of every parameter that is no layer's
        pruner = torch_pruning.pruner.BasePruner(
            smaller,
            inputs,
            importance=torch_pruning.importance.GroupMagnitudeImportance(p=1),
            pruning_ratio=1 - keep,
            ignored_layers=[_last(smaller, inputs)],
            root_module_types=[*LAYERS, nn.Embedding],
        )
        pruner.step()
    if _shape(smaller, inputs) != shape:
        raise ValueError("without units it answers in another shape")
    if _parameters(smaller) > 0.95 * before:
        raise ValueError("its layers are of kinds whose units cannot be removed; a smaller student may do")
    return smaller


def with_zeros(network: nn.Module, share: float) -> nn.Module:
    """A copy of which `share` of the weights, those of the smallest magnitude, are 0 and stay so.

    `settled` ends that: until then each such weight is its value times a mask.
    """
    sparse = copy.deepcopy(network).cpu()
    prune.global_unstructured(_weights(sparse), prune.L1Unstructured, amount=share)
    return sparse


def settled(network: nn.Module) -> nn.Module:
    """The network of `with_zeros` with plain weights again."""
    for module, name in _weights(network):
        prune.remove(module, name)  # type: ignore[no-untyped-call]
    return network


def _weights(network: nn.Module) -> list[tuple[nn.Module, str]]:
    return [(module, "weight") for module in network.modules() if isinstance(module, (*LAYERS, nn.Embedding))]


def _last(network: nn.Module, inputs: tuple[Tensor, ...]) -> nn.Module:
    """The layer that answers: its units are the classes."""
    seen: list[nn.Module] = []
    layers = [module for module in network.modules() if isinstance(module, LAYERS)]
    hooks = [layer.register_forward_hook(lambda layer, *_: seen.append(layer)) for layer in layers]
    _shape(network, inputs)
    for hook in hooks:
        hook.remove()
    return seen[-1]


@torch.no_grad()
def _shape(network: nn.Module, inputs: tuple[Tensor, ...]) -> torch.Size:
    answer: Tensor = network(*inputs)
    return answer.shape


def _parameters(network: nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())

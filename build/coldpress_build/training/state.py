"""All that a fit is at one moment, as bytes: whatever goes on from them ends with the same weights.

Tensors are stored whole, however many processes shared them: another number of processes may go on.
"""

import io
import pickle
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.optim import Optimizer

from coldpress_build.errors import BuildError
from coldpress_build.training.processes import share_of, whole
from coldpress_build.training.settings import Training

# What may be another when a run goes on: none of it changes what is computed, or only for longer.
FREE = {"threads", "compile", "device", "strategy", "checkpoint_seconds", "checkpoint_steps", "tracking"}


def lasting(how: Training) -> dict[str, Any]:
    """The settings that a run cannot change when it goes on."""
    return {name: value for name, value in asdict(how).items() if name not in FREE}


def signature(network: nn.Module, how: Training, seed: int, rows: int) -> dict[str, Any]:
    """What must be the same when a checkpoint is gone on with."""
    shapes = {name: list(value.shape) for name, value in network.state_dict().items()}
    return {"settings": lasting(how), "weights": shapes, "seed": seed, "training rows": rows}


def check(found: Mapping[str, Any], expected: Mapping[str, Any], where: str) -> None:
    """Raises `BuildError` when a checkpoint is another run's, and says in what."""
    for part, wanted in expected.items():
        got = found.get(part)
        if got == wanted:
            continue
        if isinstance(got, dict) and isinstance(wanted, dict):
            names = sorted(name for name in got.keys() | wanted.keys() if got.get(name) != wanted.get(name))
            name, got, wanted = names[0], got.get(names[0]), wanted.get(names[0])
            part = f"{part}: {name}"
        raise BuildError(
            f"the checkpoint in {where} is another run's ({part} was {got}, and is {wanted}); use the same "
            "recipe, data and settings, or start from the beginning, without --resume"
        )


def pack(state: Mapping[str, Any]) -> bytes:
    """As torch stores it."""
    buffer = io.BytesIO()
    torch.save(state, buffer)
    return buffer.getvalue()


def unpack(data: bytes, where: str) -> dict[str, Any]:
    """Tensors and plain values only: nothing in a checkpoint is executed.

    Raises:
        BuildError: it is no checkpoint of ours.
    """
    try:
        state = torch.load(io.BytesIO(data), weights_only=True, map_location="cpu")
    except (RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise BuildError(f"{where} holds no checkpoint: {str(error).splitlines()[0]}") from error
    if not isinstance(state, dict) or "signature" not in state:
        raise BuildError(f"{where} holds no checkpoint of a fit; start from the beginning, without --resume")
    return state


def weights(network: nn.Module, shares: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Whole tensors, on the CPU, of this process's `shares` by name. Every process must take part."""
    like = network.state_dict()
    return {name: whole(share, like[name]) for name, share in shares.items()}


@torch.no_grad()
def set_weights(network: nn.Module, shares: Mapping[str, Tensor], complete: Mapping[str, Tensor]) -> None:
    """Fill this process's `shares` from whole tensors."""
    like = network.state_dict()
    for name, share in shares.items():
        share.copy_(share_of(complete[name], like[name]))


def optimiser_state(network: nn.Module, optimiser: Optimizer) -> dict[str, Any]:
    """By the weights' names, whole, on the CPU. Every process must take part."""
    state = optimiser.state_dict()
    names = [name for name, _ in network.named_parameters()]
    kept = {
        names[number]: {key: _gathered(value) for key, value in values.items()}
        for number, values in state["state"].items()
    }
    return {"state": kept, "groups": [{**group, "params": []} for group in state["param_groups"]]}


def _gathered(value: Any) -> Any:
    if isinstance(value, DTensor):
        return whole(value.to_local(), value)
    return value.detach().cpu().clone() if isinstance(value, Tensor) else value


def set_optimiser_state(network: nn.Module, optimiser: Optimizer, state: dict[str, Any]) -> None:
    """The other way round."""
    parameters = dict(network.named_parameters())
    restored = {
        number: {
            key: _divided(value, parameter) if isinstance(value, Tensor) else value
            for key, value in state["state"][name].items()
        }
        for number, (name, parameter) in enumerate(parameters.items())
        if name in state["state"]
    }
    groups = [
        {**kept, "params": group["params"]}
        for kept, group in zip(state["groups"], optimiser.state_dict()["param_groups"], strict=True)
    ]
    optimiser.load_state_dict({"state": restored, "param_groups": groups})


def _divided(value: Tensor, parameter: Tensor) -> Tensor:
    """As the weight it belongs to is; a count of steps has no share."""
    if isinstance(parameter, DTensor) and value.shape == parameter.shape:
        return distribute_tensor(value.to(parameter.device), parameter.device_mesh, parameter.placements)
    return value.clone()

"""One process or many: torchrun's environment variables, and what the processes tell each other.

Without torchrun there is one process, and nothing here does anything.
"""

import os
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import torch
from torch import Tensor, distributed, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from coldpress_build.errors import ConfigurationError

# How long a process waits for the others: for the first one's baseline, or its upload of a checkpoint.
PATIENCE = timedelta(minutes=30)


@dataclass(frozen=True)
class World:
    """The processes that train one network together. `rank` 0 is the one that tells, writes and publishes."""

    rank: int
    size: int
    device: torch.device

    @property
    def first(self) -> bool:
        """Whether this process is the one that writes."""
        return self.rank == 0

    def total(self, values: Tensor) -> Tensor:
        """The sums over all processes, in each of them."""
        if self.size > 1:
            distributed.all_reduce(values)
        return values

    def largest(self, values: list[int]) -> list[int]:
        """The largest of each over all processes, in each of them."""
        if self.size == 1:
            return values
        found = torch.tensor(values, device=self.device)
        distributed.all_reduce(found, distributed.ReduceOp.MAX)
        return [int(value) for value in found.tolist()]

    def gathered(self, value: Any) -> list[Any]:
        """What each process has, by rank."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        distributed.all_gather_object(found, value)
        return found

    def wait(self) -> None:
        """Until all are here."""
        if self.size > 1:
            distributed.barrier()


def launched() -> bool:
    """Whether torchrun started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1 and "MASTER_ADDR" in os.environ


def first() -> bool:
    """Whether this process is the one that writes; so is the only one."""
    return not launched() or os.environ.get("RANK", "0") == "0"


# Set once a block of `together` is over: what follows, such as a fine-tuning in the press, is done alone.
_parted = False


@contextmanager
def together(device: str = "auto") -> Iterator[World]:
    """The processes are connected inside the block; afterwards each is on its own.

    Inside another such block, and without torchrun, it changes nothing.
    """
    global _parted
    if not launched() or _parted or distributed.is_initialized():
        yield world(device)
        return
    chosen = _device(device)
    distributed.init_process_group(
        "nccl" if chosen.type == "cuda" else "gloo",
        timeout=PATIENCE,
        device_id=chosen if chosen.type == "cuda" else None,
    )
    try:
        yield world(device)
        # gloo aborts a process whose partner is gone while it still sends.
        distributed.barrier()
    finally:
        distributed.destroy_process_group()
        _parted = True


def world(device: str = "auto") -> World:
    """The processes that are connected now.

    Raises:
        ConfigurationError: device=cuda without a GPU.
    """
    if distributed.is_initialized():
        return World(distributed.get_rank(), distributed.get_world_size(), _device(device))
    return World(0, 1, _device(device))


def _device(name: str) -> torch.device:
    available = torch.cuda.is_available()
    if name == "cuda" and not available:
        raise ConfigurationError("device=cuda: torch finds no GPU here; use device=auto or device=cpu")
    if name == "cpu" or not available:
        return torch.device("cpu")
    device = torch.device("cuda", int(os.environ.get("LOCAL_RANK", "0")) if launched() else 0)
    torch.cuda.set_device(device)
    return device


def spread(network: nn.Module, strategy: str, where: World) -> nn.Module:
    """The network as all processes train it; calling it, and its gradients, then involve all of them.

    ddp: a copy in each, the gradients averaged. fsdp: a share of each weight in each, gathered when it is
    needed; layers in an `nn.ModuleList` one after the other, the rest at once.
    """
    if where.size == 1:
        return network
    if strategy == "fsdp":
        mesh = init_device_mesh(where.device.type, (where.size,))
        for layers in [module for module in network.modules() if isinstance(module, nn.ModuleList)]:
            for layer in layers:
                fully_shard(layer, mesh=mesh)
        fully_shard(network, mesh=mesh)
        return network
    return DistributedDataParallel(
        network, device_ids=[where.device] if where.device.type == "cuda" else None
    )


@contextmanager
def exchanging(network: nn.Module, wanted: bool) -> Iterator[None]:
    """Whether a backward pass inside the block exchanges gradients: not before the last of a step."""
    if isinstance(network, FSDPModule):
        network.set_requires_gradient_sync(wanted)
    skipped: AbstractContextManager[Any] = nullcontext()
    if isinstance(network, DistributedDataParallel) and not wanted:
        skipped = network.no_sync()
    with skipped:
        yield


def whole(share: Tensor, like: Any) -> Tensor:
    """All of a tensor of which this process has a share, as `like` is divided; on the CPU."""
    if isinstance(like, DTensor):
        share = DTensor.from_local(
            share, like.device_mesh, like.placements, shape=like.shape, stride=like.stride()
        )
        share = share.full_tensor()
    return share.detach().cpu().clone()


def share_of(complete: Tensor, like: Any) -> Tensor:
    """This process's share of a tensor, as `like` is divided."""
    if isinstance(like, DTensor):
        return distribute_tensor(complete.to(like.device), like.device_mesh, like.placements).to_local()
    return complete

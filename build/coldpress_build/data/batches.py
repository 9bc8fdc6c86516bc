"""Rows of tensors, drawn a whole batch at a time."""

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler

Batch = tuple[tuple[Tensor, ...], Tensor]
"""What a network is called with, in order, and the target: class indices int64, or values float32."""


class Batches(Dataset[Batch]):
    """Rows as tensors, drawn a whole batch at a time: one indexing instead of one per row.

    `inputs` are what the network is called with, rows first, in any type (images stay uint8 until the network
    makes floats of them). Where `lengths` [rows] are given, the first input is [rows, longest, ...] filled up
    behind them, and a batch of it is as wide as its longest row.
    """

    def __init__(
        self, inputs: Tensor | tuple[Tensor, ...], target: Tensor, lengths: Tensor | None = None
    ) -> None:
        self.inputs = inputs if isinstance(inputs, tuple) else (inputs,)
        self.target = target
        self.lengths = lengths

    def __len__(self) -> int:
        return len(self.target)

    def __getitem__(self, rows: list[int]) -> Batch:
        first, *others = self.inputs
        index = torch.tensor(rows)  # a list as an index is many times slower
        longest = None if self.lengths is None else max(int(self.lengths[index].max()), 1)
        drawn = first[index] if longest is None else first[index, :longest]
        return (drawn, *(tensor[index] for tensor in others)), self.target[index]

    def loader(self, batch_size: int, *, seed: int | None = None) -> "DataLoader[Batch]":
        """Batches in order, or shuffled by `seed`."""
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        order = RandomSampler(self, generator=generator) if generator else range(len(self))
        batches = BatchSampler(order, batch_size, drop_last=False)
        return DataLoader(self, sampler=batches, batch_size=None)

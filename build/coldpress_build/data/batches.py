"""Rows of tensors, drawn a whole batch at a time."""

import torch
from torch import Tensor
from torch.utils.data import BatchSampler, DataLoader, Dataset, RandomSampler


class Batches(Dataset[tuple[Tensor, Tensor]]):
    """Rows as tensors, drawn a whole batch at a time: one indexing instead of one per row.

    `inputs` is [rows, words] filled up with 0; a batch is as wide as its longest row.
    """

    def __init__(self, inputs: Tensor, labels: Tensor) -> None:
        self.inputs = inputs
        self.labels = labels
        self.lengths = (inputs != 0).sum(1)

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, rows: list[int]) -> tuple[Tensor, Tensor]:
        width = max(int(self.lengths[rows].max()), 1)
        return self.inputs[rows, :width], self.labels[rows]

    def loader(self, batch_size: int, *, seed: int | None = None) -> "DataLoader[tuple[Tensor, Tensor]]":
        """Batches in order, or shuffled by `seed`."""
        generator = None if seed is None else torch.Generator().manual_seed(seed)
        order = RandomSampler(self, generator=generator) if generator else range(len(self))
        batches = BatchSampler(order, batch_size, drop_last=False)
        return DataLoader(self, sampler=batches, batch_size=None)

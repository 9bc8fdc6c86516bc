"""Which rows each step reads: a function of the seed, the epoch and the step, so that any of them can be the
first after an interruption, and of no process's rank, so that any number of processes reads the same."""

from dataclasses import dataclass

import torch

# A step of one row has no variance for a batch normalisation, and one of fewer rows than processes leaves
# some with nothing to do: such a rest joins the step before.
FEWEST_ROWS = 2


@dataclass(frozen=True)
class Piece:
    """Rows of one forward pass of one process. Only the first `counted` matter: a process that has no row of
    its own computes somebody else's, so that all take part in every exchange."""

    rows: list[int]
    counted: int


@dataclass(frozen=True)
class Order:
    """`rows` rows in batches of `batch_size`, `accumulate` of them a step; for process `rank` of `size`."""

    rows: int
    batch_size: int
    accumulate: int = 1
    rank: int = 0
    size: int = 1

    @property
    def steps(self) -> int:
        """In an epoch."""
        return len(self._cut(list(range(self.rows)), self.batch_size * self.accumulate))

    def epoch(self, seed: int, number: int) -> list[list[int]]:
        """The rows of each step of an epoch, shuffled, the same in every process."""
        generator = torch.Generator().manual_seed((seed << 24) + number)
        shuffled = torch.randperm(self.rows, generator=generator).tolist()
        return self._cut(shuffled, self.batch_size * self.accumulate)

    def in_order(self) -> list[list[int]]:
        """All rows, as they come."""
        return self._cut(list(range(self.rows)), self.batch_size)

    def pieces(self, step: list[int]) -> list[Piece]:
        """What this process reads of a step's rows."""
        return [self._own(batch) for batch in self._cut(step, self.batch_size)]

    def _own(self, batch: list[int]) -> Piece:
        own = batch[self.rank :: self.size]
        return Piece(own, len(own)) if own else Piece(batch[:1], 0)

    def _cut(self, rows: list[int], length: int) -> list[list[int]]:
        cut = [rows[start : start + length] for start in range(0, len(rows), length)]
        if len(cut) > 1 and len(cut[-1]) < FEWEST_ROWS * self.size:
            rest = cut.pop()
            cut[-1] = cut[-1] + rest
        return cut

"""The state of every generator of random numbers that a training step may draw from."""

import random
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch


@contextmanager
def own(seed: int, rank: int) -> Iterator[None]:
    """Numbers from `seed` inside the block, other ones in each process: they must not drop the same words.

    Afterwards the generators go on as if nothing had been.
    """
    before, start = state(), seed + (rank << 32)
    torch.manual_seed(start)
    np.random.seed(start % 2**32)
    random.seed(start)
    try:
        yield
    finally:
        restore(before)


def state() -> dict[str, Any]:
    """Of torch (CPU and GPU), numpy and Python, as tensors and plain values."""
    drawn: Any = np.random.get_state(legacy=True)
    kind, keys, position, has_gauss, gauss = drawn
    return {
        "torch": torch.get_rng_state(),
        "cuda": [torch.cuda.get_rng_state()] if torch.cuda.is_available() else [],
        "numpy": [
            str(kind),
            torch.from_numpy(keys.astype(np.int64)),
            int(position),
            int(has_gauss),
            float(gauss),
        ],
        "python": random.getstate(),
    }


def restore(state: dict[str, Any]) -> None:
    """Draw on from there."""
    torch.set_rng_state(state["torch"])
    if state["cuda"] and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"][0])
    kind, keys, position, has_gauss, gauss = state["numpy"]
    np.random.set_state((kind, keys.numpy().astype(np.uint32), position, has_gauss, gauss))
    random.setstate(state["python"])

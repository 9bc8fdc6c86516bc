"""The training engine on a GPU in bf16, beside a bare PyTorch loop and under torch.compile.

A table, and a line of JSON for each way. Rows a second are of the epochs after the first one, which compiles
and warms up. FLOPs are a step's, forward and backward, as torch counts them (products and convolutions).
Their utilisation (MFU) is against the peak in bf16: NVIDIA's figure without sparsity or, of other processors,
the fastest product of two matrices, measured here. The data is random; a CPU takes long.
"""

import argparse
import json
import timeit
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import pairwise
from statistics import median
from time import perf_counter

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from coldpress_build.data.batches import Batches
from coldpress_build.engine import Training, fit
from coldpress_build.progress import Progress
from coldpress_build.recipes.encoder import Encoder
from coldpress_build.recipes.image_cnn import Config, Network
from coldpress_build.training.tracking.tracker import Watching

from . import bareloop

# Dense bf16 FLOPs a second by a part of the device's name (NVIDIA's data sheets); the first that fits.
PEAKS = {"H100 PCIe": 756e12, "H100": 989e12, "H200": 989e12, "A100": 312e12, "L40S": 362e12, "L4": 121e12}
CLASSES, WORDS, MATRIX = 10, 30_000, 1024
OPTIONS = (
    ("rows", 32_768, "of the training part"), ("batch", 512, "rows of a step"),
    ("epochs", 4, "two or more"), ("width", 512, "of the transformer"),
    ("layers", 8, "of the transformer"), ("words", 128, "of a text"),
    ("filters", 64, "of the ResNet's first stage"),
)  # fmt: skip


@dataclass(frozen=True)
class Problem:
    """A recipe's network and random rows for it."""

    build: Callable[[], nn.Module]
    train: Batches
    validation: Batches


def text_transformer(rows: int, width: int, layers: int, words: int) -> Problem:
    """The recipe's encoder, over texts that are all of `words` words."""

    sizes = {"positions": words, "width": width, "heads": 1 if width % 64 else width // 64, "layers": layers}
    ids = torch.randint(2, WORDS, (rows + rows // 8, words), generator=torch.Generator().manual_seed(0))
    encoder = partial(Encoder, WORDS, CLASSES, dropout=0.1, word_dropout=0.0, **sizes)
    return Problem(encoder, *_parts(ids, rows))


def image_cnn(rows: int, filters: int) -> Problem:
    """The recipe's ResNet-18, on pictures as large as CIFAR-10's."""
    pictures = np.random.default_rng(0).integers(0, 256, (rows + rows // 8, 32, 32, 3), np.uint8)
    config = Config(network="resnet18", filters=filters, shift=0.0)
    network = partial(Network, pictures[:256], CLASSES, config)
    return Problem(network, *_parts(torch.from_numpy(pictures), rows))


def _parts(inputs: torch.Tensor, rows: int) -> tuple[Batches, Batches]:
    target = torch.randint(0, CLASSES, (len(inputs),), generator=torch.Generator().manual_seed(1))
    return Batches(inputs[:rows], target[:rows]), Batches(inputs[rows:], target[rows:])


def flops(problem: Problem, device: str, batch: int) -> float:
    """Of one row, forward and backward."""
    network = problem.build().to(device).train()
    (inputs,), _ = problem.train[list(range(batch))]
    with FlopCounterMode(display=False) as counter:
        network(inputs.to(device)).sum().backward()
    return counter.get_total_flops() / batch


def peak(device: str) -> float:
    """bf16 FLOPs a second at best."""
    name = torch.cuda.get_device_name() if device == "cuda" else ""
    if known := [value for part, value in PEAKS.items() if part in name]:
        return known[0]
    one = torch.randn(MATRIX, MATRIX, device=device, dtype=torch.bfloat16)
    return 2 * MATRIX**3 / min(timeit.repeat(lambda: (one @ one)[0, 0].item(), number=1, repeat=10))


def rates(problem: Problem, how: Training, device: str) -> Iterator[tuple[str, float]]:
    """Rows a second of each way."""
    ends: list[float] = []
    rows, quiet = (problem.train, problem.validation), Progress(silent=True)

    def ended() -> None:
        ends.append(perf_counter())

    for compiled in (False, True) if how.compile else (False,):
        one = replace(how, compile=compiled)
        for way in ("engine", "bare loop"):
            torch.manual_seed(0)
            ends.clear()
            if way == "engine":
                fit(
                    problem.build(),
                    *rows,
                    one,
                    0,
                    quiet,
                    classes=CLASSES,
                    tracker=Watching(lambda _: ended()),
                )
            else:
                bareloop.fit(problem.build(), *rows, one, 0, classes=CLASSES, device=device, ended=ended)
            seconds = median(after - before for before, after in pairwise(ends))
            yield f"{way}, compiled" if compiled else way, len(problem.train) / seconds


def main() -> None:
    """See above."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench.gpu", description=__doc__)
    for option, value, words in OPTIONS:
        parser.add_argument(f"--{option}", type=int, default=value, help=f"{words} ({value})")
    parser.add_argument("--no-compile", action="store_true", help="leave torch.compile out")
    given = parser.parse_args()
    if given.epochs < 2:
        parser.error(f"--epochs {given.epochs}: the first one only warms up; give 2 or more")
    device = "cuda" if torch.cuda.is_available() else "cpu"
    how = Training(
        epochs=given.epochs, patience=given.epochs, batch_size=given.batch, precision="bf16",
        compile=not given.no_compile, average=0.0, deterministic=False, device=device,
        threads=torch.get_num_threads(),
    )  # fmt: skip
    best = peak(device)
    name = torch.cuda.get_device_name() if device == "cuda" else "CPU"
    table = Table("network", "way", "rows/s", "MFU", title=f"{name}, peak {best / 1e12:.3g} TFLOP/s in bf16")
    problems = {
        "text-transformer": text_transformer(given.rows, given.width, given.layers, given.words),
        "image-cnn resnet18": image_cnn(given.rows, given.filters),
    }
    for network, problem in problems.items():
        each = flops(problem, device, 8)
        for way, rate in rates(problem, how, device):
            mfu = rate * each / best
            found = {"network": network, "way": way, "rows_per_second": rate, "mfu": mfu, "device": name}
            print(json.dumps(found | {"flops_per_row": each, "batch": given.batch}), flush=True)
            table.add_row(network, way, f"{rate:,.0f}", f"{mfu:.1%}")
    Console().print(table)


if __name__ == "__main__":
    main()

"""A program for test_resume.py: fits a small network in processes that are ended again and again.

interrupted.py STORE_URL SIGNAL SEED: prints JSON, the exit statuses of the processes and the SHA-256 of the
final weights, once without an interruption and once with some. torch is imported once: each fit
that is interrupted is a process forked off this one.
"""

import hashlib
import json
import os
import random
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import nn

from coldpress.store import Store
from coldpress_build.checkpoints import Checkpoints
from coldpress_build.data.batches import Batch, Batches
from coldpress_build.engine import Training, fit
from coldpress_build.progress import Progress
from coldpress_build.training.stopping import Interrupted, interruptible

HOW = Training(
    epochs=3,
    batch_size=8,
    accumulate=2,
    learning_rate=0.02,
    schedule="cosine",
    warm_up=0.1,
    average=0.9,
    patience=4,
    checkpoint_seconds=0,
    checkpoint_steps=1,
)
INTERRUPTIONS = 6
STARTED: dict[str, int] = {}
"""The pipe that a fit's first batch is told through."""


class Noisy(Batches):
    """Rows with noise from every generator that there is."""

    def __getitem__(self, rows: list[int]) -> Batch:
        (points,), target = super().__getitem__(rows)
        if started := STARTED.pop("pipe", None):
            os.write(started, b".")
        time.sleep(0.002)  # or a fit would be over before it can be interrupted
        noise = torch.randn_like(points) + float(np.random.normal()) + random.gauss(0, 1)
        return (points + 0.1 * noise,), target


def fitted(checkpoints: Checkpoints | None) -> str:
    """The SHA-256 of the weights that come out, and of the losses."""
    points = torch.randn(200, 3, generator=torch.Generator().manual_seed(1))
    rows = Noisy(points, (points.sum(1) > 0).long())
    torch.manual_seed(0)
    network = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 2))
    progress = Progress(silent=True)
    done = fit(
        network, rows, Batches(points, rows.target), HOW, 0, progress, classes=2, checkpoints=checkpoints
    )
    digest = hashlib.sha256(repr([vars(epoch) for epoch in done.epochs]).encode())
    for value in network.state_dict().values():
        digest.update(value.numpy().tobytes())
    return digest.hexdigest()


def forked(work: Callable[[], str], answer: Path) -> int:
    """The id of a process that writes what `work` gives to `answer`."""
    process = os.fork()
    if process:
        return process
    status = 1
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # outside of the fit, whose end is what counts
    try:
        with interruptible("the next one goes on"):
            done = work()
        answer.write_text(done)
        status = 0
    except Interrupted as error:
        status = error.exit_status
    finally:
        os._exit(status)


def kept_step(url: str) -> int:
    """Of the newest checkpoint. In a process of its own: a store has threads, which do not survive a fork."""
    reader, writer = os.pipe()
    process = os.fork()
    if not process:
        try:
            newest = json.loads(Store(url).get("fit/latest.json").data)["checkpoints"][0]
            os.write(writer, str(newest["step"]).encode())
        finally:
            os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        found = pipe.read()
    os.waitpid(process, 0)
    return int(found or 0)


def main(url: str, name: str, seed: str) -> None:
    """See above."""
    draw = random.Random(seed)  # noqa: S311
    number = getattr(signal, name)
    statuses, steps = [], []
    with tempfile.TemporaryDirectory() as scratch:
        answer = Path(scratch, "answer")
        whole = fitted(None)
        while not answer.exists():
            told, STARTED["pipe"] = os.pipe()
            process = forked(lambda: fitted(Checkpoints(url, "fit")), answer)
            os.close(STARTED.pop("pipe"))
            if len(statuses) < INTERRUPTIONS:
                os.read(told, 1)
                time.sleep(draw.uniform(0.0, 0.2))
                os.kill(process, number)
            statuses.append(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]))
            steps.append(kept_step(url))
        kept = sorted(info.key for info in Store(url).walk("fit"))
        found = {
            "whole": whole,
            "pieced": answer.read_text(),
            "statuses": statuses,
            "steps": steps,
            "kept": kept,
        }
        print(json.dumps(found))


if __name__ == "__main__":
    main(*sys.argv[1:])

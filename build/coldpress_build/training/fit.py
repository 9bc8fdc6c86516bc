"""The training loop.

It is our own on torch's parts, not Lightning's Trainer, for what that cannot do: go on within an epoch bit
for bit, average the weights of a network that several processes share (its weight averaging leaves sharded
networks out), and share one on CPUs, where that is tested.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from time import monotonic, perf_counter
from typing import NoReturn

import torch
from torch import nn

from coldpress_build.checkpoints import Checkpoints
from coldpress_build.data.batches import Batches
from coldpress_build.errors import BuildError
from coldpress_build.progress import Progress
from coldpress_build.quiet import quiet
from coldpress_build.training import processes, randomness, state
from coldpress_build.training.fitting import Fitting
from coldpress_build.training.losses import Loss
from coldpress_build.training.results import Fit
from coldpress_build.training.settings import Training
from coldpress_build.training.stopping import Interrupted, Stop, asked
from coldpress_build.training.tracking.tracker import NOWHERE, Tracker

TOGETHER_STEPS = 8
"""Several processes ask each other so often whether to stop or to keep a checkpoint: it takes an exchange."""
TRACKED_STEPS = 50


def fit(
    network: nn.Module,
    train: Batches,
    validation: Batches,
    how: Training,
    seed: int,
    progress: Progress,
    *,
    classes: int,
    checkpoints: Checkpoints | None = None,
    tracker: Tracker = NOWHERE,
    loss: Loss | None = None,
) -> Fit:
    """Fit `network` in place; it ends on the CPU with the averaged weights of its best epoch.

    `network` answers what a batch holds with logits [rows, classes], or values [rows] where `classes` is 0.
    `loss` takes the place of the settings' one, and says what a target is.
    With `checkpoints`, it goes on from the latest one, and SIGTERM ends it with one.

    Raises:
        BuildError: the loss is not finite any more, a checkpoint is another run's, a GPU's memory is full.
        Interrupted: SIGTERM came; a checkpoint of that moment is kept.
    """
    started = perf_counter()
    world = processes.world(how.device)
    waiting = asked() if checkpoints else nullcontext(Stop())
    with waiting as stop, _as_set(how), randomness.own(seed, world.rank), _advice(how):
        work = Fitting(network, train, validation, how, seed, classes, world, loss)
        kept = checkpoints.latest() if checkpoints else None
        if checkpoints and kept is not None:
            before = state.unpack(kept, checkpoints.where)
            work.restore(before, checkpoints.where)
            started -= before["seconds"]
            progress.note(f"goes on after step {work.steps}, in epoch {work.epoch}: {checkpoints.where}")
        keeper = _Keeper(work, checkpoints, stop, started)
        for epoch in work.epochs:
            tracker.epoch(seed, epoch)
        while not work.finished:
            for rows in work.remaining():
                work.step(rows)
                keeper.stepped()
                if work.steps % TRACKED_STEPS == 0:
                    tracker.step(seed, work.steps, work.training_loss(), work.rate)
            done = work.validate(stop)
            if done is None:
                keeper.interrupt()
                continue
            tracker.epoch(seed, done)
            progress.tell(f"epoch {done.number} of at most {how.epochs}: {done.words}")
        keeper.finish()
        network.cpu().load_state_dict(work.best)
    network.eval()
    best = min(work.epochs, key=lambda epoch: epoch.validation_loss)
    return Fit(seed, best, tuple(work.epochs), perf_counter() - started)


class _Keeper:
    """Saves when it is time to, and ends the fit when that was asked for."""

    def __init__(self, work: Fitting, checkpoints: Checkpoints | None, stop: Stop, started: float) -> None:
        self._work, self._checkpoints, self._stop, self._started = work, checkpoints, stop, started
        self._saved = monotonic()

    @property
    def _where(self) -> str:
        return self._checkpoints.where if self._checkpoints else ""

    def stepped(self) -> None:
        """After each step."""
        if self._checkpoints is None:
            return
        work, how = self._work, self._work.how
        by_step = how.checkpoint_steps and work.steps % how.checkpoint_steps == 0
        stop = by_time = 0
        if work.world.size == 1 or work.steps % TOGETHER_STEPS == 0:
            late = how.checkpoint_seconds and monotonic() - self._saved >= how.checkpoint_seconds
            # Only the first one's clock counts: they all take part in a checkpoint.
            mine = int(bool(late) and work.world.first)
            stop, by_time = work.world.largest([int(self._stop.wanted), mine])
        if stop:
            self.interrupt()
        elif by_step or by_time:
            self._save(work.state(self._seconds()))

    def interrupt(self) -> None:
        """Keep this moment and end. Raises `Interrupted`."""
        work = self._work
        if self._checkpoints is None:
            raise Interrupted(f"stopped by SIGTERM in epoch {work.epoch}")
        self._save(work.state(self._seconds()))
        self._end()

    def _end(self) -> NoReturn:
        work = self._work
        # torchrun ends the others as soon as one has ended: the one that writes comes first.
        work.world.wait()
        raise Interrupted(
            f"stopped by SIGTERM in epoch {min(work.epoch, work.how.epochs)}; {self._where} has a checkpoint "
            f"of step {work.steps}"
        )

    def finish(self) -> None:
        """Keep what came out, so that a run that is ended later need not fit again."""
        if self._checkpoints is None:
            return
        self._save(self._work.outcome(self._seconds()))
        if self._work.world.largest([int(self._stop.wanted)])[0]:
            self._end()

    def _seconds(self) -> float:
        return perf_counter() - self._started

    def _save(self, kept: dict[str, object]) -> None:
        if self._checkpoints is not None and self._work.world.first:
            self._checkpoints.save(self._work.steps, state.pack(kept))
        self._saved = monotonic()


@contextmanager
def _as_set(how: Training) -> Iterator[None]:
    """Threads and determinism as the settings say; afterwards as before."""
    threads, mode = torch.get_num_threads(), torch.get_deterministic_debug_mode()
    torch.set_num_threads(how.threads)
    if how.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # what cuBLAS needs for it
    # Not `use_deterministic_algorithms`, which imports the compiler: 1.4 s.
    torch.set_deterministic_debug_mode("error" if how.deterministic else "default")
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        torch.set_num_threads(threads)


@contextmanager
def _advice(how: Training) -> Iterator[None]:
    """torch's own errors, where a setting helps."""
    try:
        with quiet() if how.compile else nullcontext():
            yield
    except torch.OutOfMemoryError as error:
        raise BuildError(
            f"the GPU's memory is full: set batch_size={max(how.batch_size // 2, 1)} "
            f"(it is {how.batch_size}) and accumulate={how.accumulate * 2}, which comes to the same"
        ) from error
    except RuntimeError as error:
        words = " ".join(str(error).split())[:240]
        if how.deterministic and "deterministic" in words:
            raise BuildError(f"{words}; set deterministic=false") from error
        if how.compile and type(error).__module__.startswith("torch."):
            raise BuildError(f"torch.compile failed: {words}; set compile=false") from error
        raise

"""TensorBoard's events: `tensorboard --logdir` on the folder of the runs compares them."""

from pathlib import Path

from torch.utils.tensorboard.writer import SummaryWriter

from coldpress_build.training.results import Epoch

FLUSH_SECONDS = 10


class TensorBoard:
    """A folder of events for each fit."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._writers: dict[int, SummaryWriter] = {}

    def step(self, seed: int, step: int, loss: float, rate: float) -> None:
        """See `Tracker`."""
        self._add(seed, step, {"train/loss so far": loss, "train/learning rate": rate})

    def epoch(self, seed: int, epoch: Epoch) -> None:
        """See `Tracker`."""
        figures = {f"validation/{name}": value for name, value in epoch.metrics.items()}
        figures |= {"train/loss": epoch.train_loss, "validation/loss": epoch.validation_loss}
        self._add(seed, epoch.step, figures)

    def close(self) -> None:
        """See `Tracker`."""
        for writer in self._writers.values():
            writer.close()

    def _add(self, seed: int, step: int, figures: dict[str, float]) -> None:
        if seed not in self._writers:
            folder = str(self._folder / f"seed-{seed}")
            self._writers[seed] = SummaryWriter(folder, flush_secs=FLUSH_SECONDS)
        for name, value in figures.items():
            self._writers[seed].add_scalar(name, value, step)

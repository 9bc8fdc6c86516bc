"""metrics.csv: a line an epoch, for a spreadsheet or pandas."""

import csv
from pathlib import Path

from coldpress_build.training.results import Epoch


class CsvFile:
    """Each line is in the file as soon as the epoch is over."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("w", newline="", encoding="utf-8")
        self._writer = csv.writer(self._file)
        self._begun = False

    def step(self, seed: int, step: int, loss: float, rate: float) -> None:
        """Not of steps."""

    def epoch(self, seed: int, epoch: Epoch) -> None:
        """See `Tracker`."""
        columns = {
            "seed": seed,
            "epoch": epoch.number,
            "step": epoch.step,
            "learning_rate": epoch.learning_rate,
            "train_loss": epoch.train_loss,
            "validation_loss": epoch.validation_loss,
            **{f"validation_{name}": value for name, value in epoch.metrics.items()},
        }
        if not self._begun:
            self._writer.writerow(columns)
            self._begun = True
        self._writer.writerow(columns.values())
        self._file.flush()

    def close(self) -> None:
        """See `Tracker`."""
        self._file.close()
